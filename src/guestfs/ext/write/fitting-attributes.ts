import type { ExtendedAttribute } from '../../file-tree.ts';
import { INCOMPAT } from '../features.ts';
import type { Superblock } from '../superblock.ts';

// Room (ext4 disk layout, "Extended Attributes"): in an inode what is left behind its fields, less a magic number; in a
//   block what is left of it behind a header of 32 bytes. Four zero bytes end the entries of each.
const FIELDS = 128 + 32;
const MAGIC = 4;
const HEADER = 32;
const END = 4;
const ENTRY = 16;

/** Those of a file's attributes that a file system has room for, in an inode and one block. */
export function fittingAttributes(
  { inodeSize, blockSize, incompat }: Superblock,
  attributes: readonly ExtendedAttribute[],
): ExtendedAttribute[] {
  // With inline data that has the room in the inode.
  let inInode = incompat & INCOMPAT.inlineData ? 0 : Math.max(0, inodeSize - FIELDS - MAGIC - END);
  let inBlock = blockSize - HEADER - END;
  return attributes.filter(({ name, value }) => {
    const entry = ENTRY + padded(suffixLength(name));
    const whole = entry + padded(value.length);
    if (whole <= inInode) {
      inInode -= whole;
      return true;
    }
    // Large values have inodes of their own, where the file system has the feature.
    const needed = incompat & INCOMPAT.eaInode && whole > inBlock ? entry : whole;
    if (needed > inBlock) return false;
    inBlock -= needed;
    return true;
  });
}

/** The prefix is stored as a number; that of a list is its whole name. */
function suffixLength(name: Buffer): number {
  const word = name.toString('latin1');
  return word.startsWith('system.posix_acl_') ? 0 : name.length - word.indexOf('.') - 1;
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
