import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { FileTree } from '../file-tree.ts';
import { ExtTree } from './ext-tree.ts';
import { parseSuperblock, SUPERBLOCK_AT, SUPERBLOCK_SIZE } from './superblock.ts';

/**
 * Opens an ext2, ext3 or ext4 file system for reading.
 *
 * @param disk the partition; stays open
 * @param diskOffset where it begins on the whole disk, in bytes
 * @throws CalveError `invalid` when it is none, `unsupported` by feature, `corrupt`
 */
export async function openExt(disk: Disk, diskOffset: number): Promise<FileTree> {
  if (disk.size < SUPERBLOCK_AT + SUPERBLOCK_SIZE) {
    throw new CalveError('invalid', `expected a file system, got a partition of ${disk.size} bytes`);
  }
  const bytes = Buffer.alloc(SUPERBLOCK_SIZE);
  await disk.read(bytes, SUPERBLOCK_AT);
  const superblock = parseSuperblock(bytes, disk.size);
  return new ExtTree({ disk, diskOffset, superblock, replayedBlocks: 0 });
}
