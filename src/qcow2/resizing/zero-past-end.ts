import type { Disk } from '../../disk/index.ts';
import { emptyMapping } from '../mapping/mapping.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { zeroTail } from './zero-tail.ts';

/**
 * Makes what lies between the end of the disk and `to` read zeros, for a disk that is about to grow: what a longer
 * backing file holds there (trap 20), and whatever the tables say past the end of the disk, as after a shrink that was
 * cut short. The L1 table covers it. Where nothing is hidden, nothing is written.
 */
export async function zeroPastEnd(writer: ImageWriter, backing: Disk | null, to: number): Promise<void> {
  const { map, geometry } = writer.parts;
  const { clusterSize, size } = geometry;
  await zeroTail(writer);
  const end = Math.ceil(to / clusterSize) * clusterSize;
  const backingEnd = Math.ceil((backing?.size ?? 0) / clusterSize) * clusterSize;
  const mapping = emptyMapping();
  for (let at = Math.ceil(size / clusterSize) * clusterSize; at < end; at += mapping.length) {
    await map.map(at, end - at, mapping);
    if (mapping.kind === 'unallocated') mapping.length = Math.min(mapping.length, beyond(at, backingEnd));
    if (mapping.kind === 'zero' || mapping.kind === 'zero-allocated') continue;
    if (mapping.kind === 'unallocated' && at >= backingEnd) continue;
    await writer.writeZeroes(at, mapping.length, 'punched');
  }
}

/** Bytes for which what holds at `at` holds on, as far as the end of the backing disk decides. */
function beyond(at: number, backingEnd: number): number {
  return at < backingEnd ? backingEnd - at : Number.POSITIVE_INFINITY;
}
