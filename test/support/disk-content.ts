import { createHash } from 'node:crypto';
import type { Disk } from '../../src/disk/index.ts';

/** The sha256 of everything that a disk holds, in hex; closes the disk. */
export async function contentOf(opening: Promise<Disk>): Promise<string> {
  await using disk = await opening;
  const hash = createHash('sha256');
  const piece = Buffer.alloc(Math.min(disk.size, 1 << 20));
  for (let offset = 0; offset < disk.size; offset += piece.length) {
    const part = piece.subarray(0, Math.min(piece.length, disk.size - offset));
    await disk.read(part, offset);
    hash.update(part);
  }
  return hash.digest('hex');
}
