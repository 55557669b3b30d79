import { checkRange } from './check-range.ts';
import type { WritableDisk, ZeroOptions } from './disk.ts';

const ZEROS = new Uint8Array(256 * 1024);

/**
 * Makes a range of any disk read zeros; where the disk has no way of its own, by writing them.
 * @throws CalveError `out-of-range`, `io`, `no-space`, `closed`
 */
export async function writeZeroesTo(
  disk: WritableDisk,
  offset: number,
  length: number,
  options: ZeroOptions = {},
): Promise<void> {
  checkRange(disk, offset, length);
  if (disk.writeZeroes) return disk.writeZeroes(offset, length, options);
  const end = offset + length;
  for (let at = offset; at < end; at += ZEROS.length) {
    await disk.write(ZEROS.subarray(0, Math.min(ZEROS.length, end - at)), at);
  }
}
