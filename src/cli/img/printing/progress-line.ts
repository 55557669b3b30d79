import type { ImgContext } from '../img-context.ts';

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
    context.print(`    (${twoDecimals(percent)}/100%)\r`);
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

/** As C's `%.2f`: of two that are as near, the even one. */
function twoDecimals(value: number): string {
  const hundredths = value * 100;
  const isTie = hundredths % 1 === 0.5;
  const whole = isTie ? 2 * Math.round(hundredths / 2) : Math.round(hundredths);
  return (whole / 100).toFixed(2);
}
