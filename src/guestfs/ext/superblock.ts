import { CalveError } from '../../errors/index.ts';
import { checkChecksum, corrupt } from './corrupt.ts';
import { crc32c } from './crc32c.ts';
import { extKind } from './ext-kind.ts';
import { COMPAT, INCOMPAT, RO_COMPAT, refuseFeatures } from './features.ts';

// The superblock (ext4 disk layout): 1024 bytes at byte 1024, little-endian.
export const SUPERBLOCK_AT = 1024;
export const SUPERBLOCK_SIZE = 1024;
const CHECKSUM_AT = 0x3fc;
const CRC32C = 1;

/** What is used of the superblock. Blocks are counted from the start of the file system. */
export interface Superblock {
  readonly kind: 'ext2' | 'ext3' | 'ext4';
  readonly inodes: number;
  readonly blocks: number;
  /** Bytes: 1 KiB to 64 KiB. */
  readonly blockSize: number;
  /** Bytes that are allocated as one: the block size, without `bigalloc`. */
  readonly clusterSize: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly groups: number;
  /** Bytes. */
  readonly inodeSize: number;
  /** Bytes of a group descriptor. */
  readonly descriptorSize: number;
  /** The block of descriptors from which on `meta_bg` says where they lie; all, without it. */
  readonly firstMetaBg: number;
  /** The two groups with a copy of the superblock, under `sparse_super2`. */
  readonly backupGroups: readonly number[];
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
  readonly uuid: Buffer;
  /** What the checksums of everything else start from. */
  readonly checksumSeed: number;
  readonly journalInode: number;
  /** Blocks behind those of descriptors that are kept for more of them. */
  readonly reservedDescriptorBlocks: number;
  /** The first inode that an ordinary file may have. */
  readonly firstInode: number;
  /** Whether inodes wait to be freed that no name leads to, since the system was not shut down. */
  readonly hasOrphans: boolean;
  /** The block by which hosts tell each other that they use the file system (`mmp`); 0: none. */
  readonly mmpBlock: number;
  /** The inode that lists orphans (`orphan_file`); 0: none. */
  readonly orphanFile: number;
}

/**
 * Decodes and checks the superblock; its numbers are safe to compute with afterwards.
 *
 * @param size bytes of the partition
 * @throws CalveError `invalid` when it is none, `unsupported` by feature, `corrupt`
 */
export function parseSuperblock(bytes: Buffer, size: number): Superblock {
  const kind = extKind(bytes);
  if (kind === undefined)
    throw new CalveError('invalid', 'expected an ext2, ext3 or ext4 file system, got none');
  const incompat = bytes.readUInt32LE(0x60);
  const roCompat = bytes.readUInt32LE(0x64);
  const compat = bytes.readUInt32LE(0x5c);
  refuseFeatures(incompat);
  if (roCompat & RO_COMPAT.metadataCsum) {
    const type = bytes.readUInt8(0x175);
    if (type !== CRC32C) {
      throw new CalveError(
        'unsupported',
        `the file system's checksums are of type ${type}; 1 (crc32c) is read`,
      );
    }
    checkChecksum('superblock', bytes.readUInt32LE(CHECKSUM_AT), crc32c(0xffffffff, bytes, 0, CHECKSUM_AT));
  }
  const isWide = (incompat & INCOMPAT.is64bit) !== 0;
  const dynamic = bytes.readUInt32LE(0x4c) > 0;
  const logBlockSize = bytes.readUInt32LE(0x18);
  const logClusterSize = roCompat & RO_COMPAT.bigalloc ? bytes.readUInt32LE(0x1c) : logBlockSize;
  if (logBlockSize > 6) throw corrupt('superblock', `a block size of 2^${10 + logBlockSize} bytes`);
  if (logClusterSize < logBlockSize || logClusterSize > 20) {
    throw corrupt('superblock', `a cluster size of 2^${10 + logClusterSize} bytes`);
  }
  const blocks = bytes.readUInt32LE(0x4) + (isWide ? bytes.readUInt32LE(0x150) * 2 ** 32 : 0);
  const firstDataBlock = bytes.readUInt32LE(0x14);
  const blocksPerGroup = bytes.readUInt32LE(0x20);
  const uuid = Buffer.from(bytes.subarray(0x68, 0x78));
  const superblock: Superblock = {
    kind,
    inodes: bytes.readUInt32LE(0),
    blocks,
    blockSize: 1024 * 2 ** logBlockSize,
    clusterSize: 1024 * 2 ** logClusterSize,
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup: bytes.readUInt32LE(0x28),
    groups: Math.ceil((blocks - firstDataBlock) / blocksPerGroup),
    inodeSize: dynamic ? bytes.readUInt16LE(0x58) : 128,
    descriptorSize: isWide ? bytes.readUInt16LE(0xfe) : 32,
    firstMetaBg: incompat & INCOMPAT.metaBg ? bytes.readUInt32LE(0x104) : Number.MAX_SAFE_INTEGER,
    backupGroups: compat & COMPAT.sparseSuper2 ? [bytes.readUInt32LE(0x24c), bytes.readUInt32LE(0x250)] : [],
    compat,
    incompat,
    roCompat,
    uuid,
    checksumSeed: incompat & INCOMPAT.csumSeed ? bytes.readUInt32LE(0x270) : crc32c(0xffffffff, uuid),
    journalInode: bytes.readUInt32LE(0xe0),
    reservedDescriptorBlocks: bytes.readUInt16LE(0xce),
    firstInode: dynamic ? bytes.readUInt32LE(0x54) : 11,
    hasOrphans: bytes.readUInt32LE(0xe8) !== 0 || (roCompat & RO_COMPAT.orphanPresent) !== 0,
    mmpBlock: incompat & INCOMPAT.mmp ? Number(bytes.readBigUInt64LE(0x168)) : 0,
    orphanFile: compat & COMPAT.orphanFile ? bytes.readUInt32LE(0x280) : 0,
  };
  validateGeometry(superblock, size);
  return superblock;
}

function validateGeometry(it: Superblock, size: number): void {
  const check = (sound: boolean, problem: string): void => {
    if (!sound) throw corrupt('superblock', problem);
  };
  const powerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));
  const perCluster = it.clusterSize / it.blockSize;
  check(it.firstDataBlock <= 1 && it.firstDataBlock < it.blocks, `first data block ${it.firstDataBlock}`);
  check(
    it.blocksPerGroup >= 8 && it.blocksPerGroup <= 8 * it.blockSize * perCluster,
    `${it.blocksPerGroup} blocks a group`,
  );
  check(
    it.inodesPerGroup >= 1 && it.inodesPerGroup <= 8 * it.blockSize,
    `${it.inodesPerGroup} inodes a group`,
  );
  check(
    powerOfTwo(it.inodeSize) && it.inodeSize >= 128 && it.inodeSize <= it.blockSize,
    `an inode size of ${it.inodeSize} bytes`,
  );
  check(
    powerOfTwo(it.descriptorSize) && it.descriptorSize >= 32 && it.descriptorSize <= it.blockSize,
    `a group descriptor of ${it.descriptorSize} bytes`,
  );
  check(
    !(it.incompat & INCOMPAT.is64bit) || it.descriptorSize >= 64,
    'a group descriptor too short for 64bit',
  );
  check(
    it.inodes <= it.groups * it.inodesPerGroup,
    `${it.inodes} inodes in ${it.groups} groups of ${it.inodesPerGroup}`,
  );
  check(
    it.blocks * it.blockSize <= size,
    `expected at most the ${size} bytes of the partition, got a file system of ${it.blocks} blocks of ${it.blockSize} bytes`,
  );
}
