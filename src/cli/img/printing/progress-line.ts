import type { ImgContext } from '../img-context.ts';
import { fixed } from './fixed.ts';

/** The line of `-p`, which is written over itself, on stdout. */
export interface ProgressLine {
  /** As `onProgress` of the operations calls it. */
  readonly update: (done: number, total: number) => void;
  /** Ends the line; also after an error. */
  readonly end: () => void;
}

/**
 * The progress of long work, where it was asked for; that nothing is done yet is written at once.
 * @param step percent that are worth writing the line anew
 */
export function progressLine(context: ImgContext, wanted: boolean, step: number): ProgressLine {
  if (!wanted) return { update: () => {}, end: () => {} };
  let told = 0;
  const tell = (percent: number) => {
    told = percent;
    context.print(`    (${fixed(percent, 2)}/100%)\r`);
  };
  tell(0);
  return {
    update: (done, total) => {
      const percent = total === 0 ? 100 : Math.min(100, (100 * done) / total);
      if (percent === 100 || percent > told + step) tell(percent);
    },
    end: () => context.print('\n'),
  };
}
