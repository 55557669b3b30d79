import type { Bitmap } from './bitmap.ts';
import type { BitmapPages } from './bitmap-pages.ts';

/** A range of the disk, in bytes, that a bitmap says one thing of. */
export interface DirtyExtent {
  readonly offset: number;
  readonly length: number;
  /** It was changed, or shares a bit with what was. */
  readonly dirty: boolean;
}

/** Runs a job while the bitmaps' bits are not moved from memory to the file. */
export type WithoutMoves = <T>(job: () => Promise<T>) => Promise<T>;

/** A range of bits that are alike. */
interface Run {
  readonly from: number;
  readonly end: number;
  readonly dirty: boolean;
}

/** What a bitmap says of a range of the disk, neighbours that are alike merged. */
export async function* dirtyExtents(
  bitmap: Bitmap,
  pages: BitmapPages,
  offset: number,
  length: number,
  withoutMoves: WithoutMoves,
): AsyncGenerator<DirtyExtent> {
  const { granularity } = bitmap;
  const end = offset + length;
  let open: Run | undefined;
  const extentOf = ({ from, end: to, dirty }: Run): DirtyExtent => {
    const start = Math.max(offset, from * granularity);
    return { offset: start, length: Math.min(end, to * granularity) - start, dirty };
  };
  const [first, last] = [Math.floor(offset / granularity), Math.ceil(end / granularity)];
  for await (const run of bitRuns(bitmap, pages, withoutMoves, first, length === 0 ? first : last)) {
    if (open?.dirty === run.dirty) {
      open = { ...open, end: run.end };
    } else {
      if (open) yield extentOf(open);
      open = run;
    }
  }
  if (open) yield extentOf(open);
}

async function* bitRuns(
  bitmap: Bitmap,
  pages: BitmapPages,
  withoutMoves: WithoutMoves,
  from: number,
  end: number,
): AsyncGenerator<Run> {
  const { pageBits } = bitmap;
  for (let at = from; at < end; ) {
    const page = Math.floor(at / pageBits);
    const start = page * pageBits;
    const to = Math.min(end, start + pageBits);
    const bits = await withoutMoves(async () => {
      const places = await pages.places(bitmap);
      return pages.uniform(bitmap, places, page) ?? pages.read(bitmap, places, page);
    });
    if (typeof bits === 'string') yield { from: at, end: to, dirty: bits === 'ones' };
    else yield* runsIn(bits, start, at, to);
    at = to;
  }
}

/** @param start the number of the page's first bit; `from` and `end` lie in the page */
function* runsIn(bits: Uint8Array, start: number, from: number, end: number): Generator<Run> {
  const isSet = (bit: number): boolean =>
    (((bits[(bit - start) >>> 3] ?? 0) >>> ((bit - start) & 7)) & 1) === 1;
  for (let at = from; at < end; ) {
    const dirty = isSet(at);
    const whole = dirty ? 0xff : 0;
    let next = at + 1;
    while (next < end && isSet(next) === dirty) {
      const byteAlike = (next - start) % 8 === 0 && bits[(next - start) >>> 3] === whole;
      next += byteAlike ? 8 : 1;
    }
    next = Math.min(next, end);
    yield { from: at, end: next, dirty };
    at = next;
  }
}
