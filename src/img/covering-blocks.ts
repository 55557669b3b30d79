import type { Range } from './ranges.ts';

/**
 * The whole blocks that ranges touch, in order, each once; neighbours are merged. The last block of a disk may be short.
 * @param ranges in order
 * @param size of the disk, bytes
 */
export async function* coveringBlocks(
  ranges: AsyncIterable<Range>,
  blockSize: number,
  size: number,
): AsyncGenerator<Range> {
  let [start, end] = [0, 0];
  for await (const { offset, length } of ranges) {
    const from = Math.max(end, offset - (offset % blockSize));
    const to = Math.min(size, Math.ceil((offset + length) / blockSize) * blockSize);
    if (to <= from) continue;
    if (from > end) {
      if (start < end) yield { offset: start, length: end - start };
      start = from;
    }
    end = to;
  }
  if (start < end) yield { offset: start, length: end - start };
}
