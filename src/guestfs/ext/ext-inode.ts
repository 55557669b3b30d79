import type { Inode, InodeType } from '../inode.ts';
import { checkChecksum, corrupt } from './corrupt.ts';
import { crc32c, crc32cOfU32 } from './crc32c.ts';
import { INCOMPAT, RO_COMPAT } from './features.ts';
import type { Superblock } from './superblock.ts';

// Inode flags (ext4 disk layout, "Inode Table": i_flags).
export const INODE_FLAG = {
  encrypted: 0x800,
  indexed: 0x1000,
  hugeFile: 0x40000,
  extents: 0x80000,
  eaInode: 0x200000,
  inlineData: 0x10000000,
} as const;

/** i_mode's upper four bits. */
const TYPES: Readonly<Record<number, InodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** Bytes of the oldest inode; what follows is told by i_extra_isize. */
const OLD_SIZE = 128;

/** Where the halves of its checksum stand, of 16 bits each. */
const CHECKSUM_LOW = 0x7c;
const CHECKSUM_HIGH = 0x82;
const ZEROS = Buffer.alloc(2);

/** An inode of ext2, ext3 or ext4 with what leads to its content. */
export interface ExtInode extends Inode {
  /** i_block, 60 bytes: block numbers, the root of the extent tree, the target of a short symlink, or inline data. */
  readonly block: Buffer;
  /** What follows the fields: attributes kept in the inode; empty where there is no room for any. */
  readonly extra: Buffer;
  /** The block with more attributes; 0: none. */
  readonly attributeBlock: number;
  /** What the checksums of its own blocks start from. */
  readonly checksumSeed: number;
}

/**
 * Decodes and checks an inode.
 * @param bytes as long as the file system's inodes
 * @throws CalveError `corrupt`
 */
export function parseInode(superblock: Superblock, number: number, bytes: Buffer): ExtInode {
  const where = `inode ${number}`;
  const { roCompat, incompat, inodeSize } = superblock;
  const extraSize = inodeSize > OLD_SIZE ? bytes.readUInt16LE(0x80) : 0;
  const generation = bytes.readUInt32LE(0x64);
  let checksumSeed = 0;
  if (roCompat & RO_COMPAT.metadataCsum) {
    checksumSeed = crc32cOfU32(crc32cOfU32(superblock.checksumSeed, number), generation);
    verify(where, bytes, checksumSeed, extraSize);
  }
  if (extraSize % 4 !== 0 || OLD_SIZE + extraSize > inodeSize) {
    throw corrupt(where, `fields of ${extraSize} bytes behind the first ${OLD_SIZE} of ${inodeSize}`);
  }
  const has = (end: number): boolean => end <= OLD_SIZE + extraSize;
  const time = (at: number, extraAt: number): bigint =>
    timeOf(bytes.readInt32LE(at), has(extraAt + 4) ? bytes.readUInt32LE(extraAt) : 0);
  const mode = bytes.readUInt16LE(0);
  const flags = bytes.readUInt32LE(0x20);
  const type = TYPES[mode >>> 12] ?? 'unknown';
  const wideSize = type === 'file' || (incompat & INCOMPAT.largeDir) !== 0;
  const size = bytes.readUInt32LE(4) + (wideSize ? bytes.readUInt32LE(0x6c) * 2 ** 32 : 0);
  if (!Number.isSafeInteger(size)) throw corrupt(where, `a size of ${size} bytes`);
  const huge = (roCompat & RO_COMPAT.hugeFile) !== 0;
  const units = bytes.readUInt32LE(0x1c) + (huge ? bytes.readUInt16LE(0x74) * 2 ** 32 : 0);
  // One copy for both, which keeps the table's run from being kept with them.
  const own = Buffer.from(bytes);
  const block = own.subarray(0x28, 0x64);
  return {
    number,
    type,
    mode: mode & 0o7777,
    uid: bytes.readUInt16LE(2) + bytes.readUInt16LE(0x78) * 0x10000,
    gid: bytes.readUInt16LE(0x18) + bytes.readUInt16LE(0x7a) * 0x10000,
    size,
    links: bytes.readUInt16LE(0x1a),
    atime: time(0x8, 0x8c),
    mtime: time(0x10, 0x88),
    ctime: time(0xc, 0x84),
    crtime: has(0x94) ? time(0x90, 0x94) : null,
    flags,
    generation,
    allocated: units * (huge && flags & INODE_FLAG.hugeFile ? superblock.blockSize : 512),
    device: type === 'character-device' || type === 'block-device' ? deviceOf(block) : null,
    block,
    extra: own.subarray(OLD_SIZE + extraSize),
    attributeBlock:
      bytes.readUInt32LE(0x68) + (incompat & INCOMPAT.is64bit ? bytes.readUInt16LE(0x76) * 2 ** 32 : 0),
    checksumSeed,
  };
}

/** The checksum counts as zeros in what it is of; its upper half exists where the fields reach so far. */
function verify(where: string, bytes: Buffer, seed: number, extraSize: number): void {
  const wide = bytes.length > OLD_SIZE && extraSize >= 4;
  let crc = crc32c(crc32c(seed, bytes, 0, CHECKSUM_LOW), ZEROS);
  if (!wide) crc = crc32c(crc, bytes, CHECKSUM_LOW + 2);
  else {
    crc = crc32c(crc32c(crc, bytes, CHECKSUM_LOW + 2, CHECKSUM_HIGH), ZEROS);
    crc = crc32c(crc, bytes, CHECKSUM_HIGH + 2);
  }
  const high = wide ? bytes.readUInt16LE(CHECKSUM_HIGH) * 0x10000 : 0;
  checkChecksum(where, bytes.readUInt16LE(CHECKSUM_LOW) + high, wide ? crc : crc & 0xffff);
}

/** Seconds with a sign, and 30 bits of nanoseconds above 2 bits that carry the seconds beyond 2038. */
function timeOf(seconds: number, extra: number): bigint {
  return (BigInt(seconds) + (BigInt(extra & 3) << 32n)) * 1_000_000_000n + BigInt(extra >>> 2);
}

/** The first number holds a device as 16 bits had it, the second one as Linux has it since. */
function deviceOf(block: Buffer): { major: number; minor: number } {
  const old = block.readUInt32LE(0);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  const device = block.readUInt32LE(4);
  return { major: (device >>> 8) & 0xfff, minor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}
