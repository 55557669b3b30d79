import type { Disk } from '../disk/index.ts';
import { Qcow2Disk } from '../qcow2/index.ts';

/** The topmost images of a disk, the top first, and what lies below them. */
export function upperImages(
  disk: Qcow2Disk,
  count: number,
): { readonly upper: readonly Qcow2Disk[]; readonly below: Disk | null } {
  const upper: Qcow2Disk[] = [];
  let below: Disk | null = disk;
  while (upper.length < count) {
    if (!(below instanceof Qcow2Disk)) throw new TypeError('a chain has as many images as layers');
    upper.push(below);
    below = below.backing;
  }
  return { upper, below };
}
