import type { Disk } from '../../disk/index.ts';

/**
 * Fills `into` from `offset`, with zeros from the end of the disk or of the layer on.
 *
 * @param size bytes of the layer's virtual disk; what a longer disk has past it does not count
 * @throws what the disk throws
 */
export async function readPadded(disk: Disk, into: Uint8Array, offset: number, size: number): Promise<void> {
  const there = Math.max(0, Math.min(into.length, disk.size - offset, size - offset));
  into.fill(0, there);
  if (there === 0) return;
  const part = into.subarray(0, there);
  if (!disk.tryRead?.(part, offset)) await disk.read(part, offset);
}
