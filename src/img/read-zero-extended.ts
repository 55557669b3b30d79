import type { Disk } from '../disk/index.ts';

/** Fills `into` from `offset`, with zeros past the end of the disk. */
export async function readZeroExtended(disk: Disk, into: Buffer, offset: number): Promise<void> {
  const there = Math.max(0, Math.min(into.length, disk.size - offset));
  into.fill(0, there);
  if (there > 0) await disk.read(into.subarray(0, there), offset);
}
