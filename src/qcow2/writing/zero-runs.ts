import { isZero } from '../../bytes/index.ts';

/** A part of a write, from byte `start` to `end` of what is written. */
interface ZeroRun {
  readonly start: number;
  readonly end: number;
  /** Whether it is all zeros. */
  readonly zero: boolean;
}

/** Splits a write at the borders of clusters into parts that are all zeros and parts that are not, as long as can be. */
export function* zeroRuns(from: Uint8Array, offset: number, clusterSize: number): Generator<ZeroRun> {
  let open: ZeroRun | undefined;
  for (let start = 0; start < from.length; ) {
    const end = Math.min(from.length, start + clusterSize - ((offset + start) % clusterSize));
    const zero = isZero(from.subarray(start, end));
    if (open && open.zero !== zero) yield open;
    open = open?.zero === zero ? { ...open, end } : { start, end, zero };
    start = end;
  }
  if (open) yield open;
}
