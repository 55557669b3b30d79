import { isZero } from '../../src/bytes/index.ts';
import { MemoryDisk } from '../../src/disk/index.ts';

const PIECE = 65_536;

/**
 * A disk in memory with these bytes, which takes no room for zeros.
 * @param size of the disk, when zeros follow them
 */
export async function memoryImage(bytes: Buffer, size: number = bytes.length): Promise<MemoryDisk> {
  const disk = new MemoryDisk(size);
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    if (!isZero(piece)) await disk.write(piece, at);
  }
  return disk;
}
