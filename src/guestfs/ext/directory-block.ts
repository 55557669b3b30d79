import type { DirectoryEntry } from '../file-tree.ts';
import type { InodeType } from '../inode.ts';
import { checkChecksum, corrupt } from './corrupt.ts';
import { crc32c } from './crc32c.ts';
import { INCOMPAT } from './features.ts';
import type { Superblock } from './superblock.ts';

// Entry (ext4 disk layout, "Linear (Classic) Directories"): 0 inode u32 · 4 length of the entry u16 · 6 length of the
//   name u8 · 7 type u8 (without `filetype`: the upper half of the name's length) · 8 name
// Checksum of a block of entries: the last 12 bytes look like an unused entry of type 0xde, and end with it.
// Hash tree (same, "Hash Tree Directories"): block 0 holds `.` and `..`, then at 32 room u16 · entries u16 of 8 bytes;
//   an inner block holds one unused entry as long as itself, then the same at 8. Checksum: the last 4 of the 8 bytes
//   behind the room.
const HEADER = 8;
const TAIL = 12;
const TAIL_TYPE = 0xde;
const TREE_ROOT_AT = 32;
const TREE_NODE_AT = 8;

const TYPES: readonly InodeType[] = [
  'unknown',
  'file',
  'directory',
  'character-device',
  'block-device',
  'fifo',
  'socket',
  'symlink',
];

/** The names in a block of a directory, or in what of one lies in its inode, but for `.` and `..`. */
export function* directoryEntries(
  superblock: Superblock,
  bytes: Buffer,
  where: string,
): Generator<DirectoryEntry> {
  const hasType = (superblock.incompat & INCOMPAT.filetype) !== 0;
  // One copy for all names: what holds one of them must not hold what is kept of the disk.
  const own = Buffer.from(bytes);
  for (let at = 0; at < bytes.length; ) {
    if (at + HEADER > bytes.length) throw corrupt(where, `an entry at byte ${at} of ${bytes.length}`);
    const inode = bytes.readUInt32LE(at);
    const length = entryLength(bytes.readUInt16LE(at + 4), superblock.blockSize);
    const nameLength = hasType ? bytes.readUInt8(at + 6) : bytes.readUInt16LE(at + 6);
    if (length % 4 !== 0 || length < HEADER + nameLength || at + length > bytes.length) {
      throw corrupt(where, `the entry at byte ${at} takes ${length} bytes, with a name of ${nameLength}`);
    }
    if (inode !== 0) {
      const name = own.subarray(at + HEADER, at + HEADER + nameLength);
      if (!isDots(name)) {
        checkName(name, where, at);
        if (inode > superblock.inodes) throw corrupt(where, `the entry at byte ${at} names inode ${inode}`);
        yield { name, inode, type: (hasType ? TYPES[bytes.readUInt8(at + 7)] : undefined) ?? 'unknown' };
      }
    }
    at += length;
  }
}

/**
 * Checks the checksum of a directory's block.
 * @param index which block of the directory it is
 * @throws CalveError `corrupt`
 */
export function verifyDirectoryBlock(
  bytes: Buffer,
  { index, seed, isIndexed }: { readonly index: number; readonly seed: number; readonly isIndexed: boolean },
  where: string,
): void {
  const at = isIndexed ? treeEntriesAt(bytes, index) : undefined;
  if (at !== undefined) {
    verifyTreeBlock(bytes, at, seed, where);
    return;
  }
  const tail = bytes.length - TAIL;
  if (
    bytes.readUInt32LE(tail) !== 0 ||
    bytes.readUInt16LE(tail + 4) !== TAIL ||
    bytes.readUInt8(tail + 7) !== TAIL_TYPE
  ) {
    throw corrupt(where, 'it has no checksum');
  }
  checkChecksum(where, bytes.readUInt32LE(tail + 8), crc32c(seed, bytes, 0, tail));
}

/** Where the entries of the hash tree begin in a block of it; undefined when it holds names. */
function treeEntriesAt(bytes: Buffer, index: number): number | undefined {
  if (index === 0) return TREE_ROOT_AT;
  const fillsBlock = entryLength(bytes.readUInt16LE(4), bytes.length) === bytes.length;
  return bytes.readUInt32LE(0) === 0 && fillsBlock ? TREE_NODE_AT : undefined;
}

function verifyTreeBlock(bytes: Buffer, entriesAt: number, seed: number, where: string): void {
  const room = bytes.readUInt16LE(entriesAt);
  const count = bytes.readUInt16LE(entriesAt + 2);
  const tail = entriesAt + room * 8;
  if (count > room || tail + 8 > bytes.length)
    throw corrupt(where, `${count} entries of the hash tree, room for ${room}`);
  let crc = crc32c(seed, bytes, 0, entriesAt + count * 8);
  crc = crc32c(crc, bytes, tail, tail + 4);
  checkChecksum(where, bytes.readUInt32LE(tail + 4), crc32c(crc, Buffer.alloc(4)));
}

/** In blocks of 64 KiB the length does not fit 16 bits: its lowest two, which are 0 in any length, carry the rest. */
function entryLength(stored: number, blockSize: number): number {
  if (blockSize < 65_536) return stored;
  if (stored === 65_535 || stored === 0) return blockSize;
  return (stored & 65_532) | ((stored & 3) << 16);
}

function isDots(name: Buffer): boolean {
  return (name.length === 1 || (name.length === 2 && name[1] === 0x2e)) && name[0] === 0x2e;
}

/** A name with a slash could lead out of a folder into which it is copied. */
function checkName(name: Buffer, where: string, at: number): void {
  if (name.length > 0 && name.length <= 255 && !name.includes(0x2f) && !name.includes(0)) return;
  throw corrupt(where, `the entry at byte ${at} has the name ${JSON.stringify(name.toString('latin1'))}`);
}
