import { type Disk, extentsOf } from '../disk/index.ts';

/** A run of bytes of a disk. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/**
 * The ranges that a layer above `depth` decides: for a disk whose layers from `depth` down are shared with
 * another disk, the only places where the two can differ. In order, neighbours merged.
 */
export async function* rangesAbove(disk: Disk, depth: number): AsyncGenerator<Range> {
  let run: Range | undefined;
  for await (const extent of extentsOf(disk, 0, disk.size)) {
    if (extent.depth >= depth) continue;
    if (run !== undefined && run.offset + run.length === extent.offset) {
      run = { offset: run.offset, length: run.length + extent.length };
    } else {
      if (run !== undefined) yield run;
      run = { offset: extent.offset, length: extent.length };
    }
  }
  if (run !== undefined) yield run;
}

/** The union of two ordered runs of ranges, in order, overlaps and neighbours merged. */
export async function* unionOfRanges(
  a: AsyncIterable<Range>,
  b: AsyncIterable<Range>,
): AsyncGenerator<Range> {
  let run: Range | undefined;
  for await (const range of inOrder(a, b)) {
    if (run !== undefined && range.offset <= run.offset + run.length) {
      const end = Math.max(run.offset + run.length, range.offset + range.length);
      run = { offset: run.offset, length: end - run.offset };
    } else {
      if (run !== undefined) yield run;
      run = range;
    }
  }
  if (run !== undefined) yield run;
}

async function* inOrder(a: AsyncIterable<Range>, b: AsyncIterable<Range>): AsyncGenerator<Range> {
  const left = a[Symbol.asyncIterator]();
  const right = b[Symbol.asyncIterator]();
  try {
    let [l, r] = [await left.next(), await right.next()];
    while (!l.done || !r.done) {
      if (!l.done && (r.done || l.value.offset <= r.value.offset)) {
        yield l.value;
        l = await left.next();
      } else if (!r.done) {
        yield r.value;
        r = await right.next();
      }
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}
