import { type Range, unionOfRanges } from '../img/index.ts';
import type { Qcow2Disk } from '../qcow2/index.ts';
import { mappedExtents } from './mapped-extents.ts';

/**
 * Where two disks may differ whose chains are one from some image down: what the images above it map, and all past
 * the end of the smallest of them, where a disk reads zeros, whatever lies below. In order. Costs what is mapped.
 *
 * @param upper the images above, of both disks
 * @param ends bytes of the two disks
 */
export async function* changedRanges(
  upper: readonly Qcow2Disk[],
  ends: readonly [number, number],
): AsyncGenerator<Range> {
  const size = Math.max(...ends);
  const smallest = Math.min(...ends, ...upper.map((disk) => disk.size));
  let ranges: AsyncIterable<Range> = past(smallest, size);
  for (const disk of upper) ranges = unionOfRanges(ranges, mappedExtents(disk));
  for await (const { offset, length } of ranges) {
    // A disk that shrank stands on images that say more than it has.
    if (offset < size) yield { offset, length: Math.min(length, size - offset) };
  }
}

async function* past(offset: number, size: number): AsyncGenerator<Range> {
  if (offset < size) yield { offset, length: size - offset };
}
