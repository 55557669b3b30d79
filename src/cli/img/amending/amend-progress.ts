import type { AmendProgress } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { progressLine } from '../printing/progress-line.ts';

/** The progress of an amendment, as QEMU counts it. */
export interface AmendProgressLine {
  readonly update: (progress: AmendProgress) => void;
  /** At the end of a downgrade: all L1 entries were looked at. */
  readonly finish: () => void;
}

/**
 * QEMU goes over the entries of L1 tables, of which those without a table take no time, and tells of each one.
 * @param l1Entries of the disk's table and of all snapshots'
 */
export function amendProgress(context: ImgContext, wanted: boolean, l1Entries: number): AmendProgressLine {
  const line = progressLine(context, wanted, 1);
  let told = 0;
  const upTo = (entries: number) => {
    while (told < entries) {
      told += 1;
      line.update(told, l1Entries);
    }
  };
  return {
    update: ({ stage, done, total }) => {
      if (stage === 'zeros') upTo(Math.floor((done * l1Entries) / total));
    },
    finish: () => upTo(l1Entries),
  };
}
