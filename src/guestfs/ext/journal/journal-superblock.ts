import { CalveError } from '../../../errors/index.ts';
import { checkChecksum, corrupt } from '../corrupt.ts';
import { crc32c } from '../crc32c.ts';

// Journal superblock (ext4 disk layout, "Journal (jbd2)"): the journal's first block, 1024 bytes of it, big-endian:
//   0 magic · 4 type · 0xc block size · 0x10 blocks · 0x14 first block of the log · 0x18 first sequence · 0x1c first
//   block in use, 0: none · 0x24 compatible, 0x28 incompatible features · 0x30 UUID · 0x50 kind of checksum u8 ·
//   0x54 blocks of fast commits · 0xfc checksum
export const JOURNAL_MAGIC = 0xc03b3998;
const SIZE = 1024;
const CHECKSUM_AT = 0xfc;
const CRC32C = 4;
const SUPERBLOCK_TYPES: readonly number[] = [3, 4];
const COMPAT_CHECKSUM = 0x1;
const INCOMPAT = {
  revoke: 0x1,
  is64bit: 0x2,
  asyncCommit: 0x4,
  csumV2: 0x8,
  csumV3: 0x10,
  fastCommit: 0x20,
} as const;
const KNOWN = 0x3f;
const DEFAULT_FAST_COMMIT_BLOCKS = 256;

/** What is used of a journal's superblock. */
export interface JournalSuperblock {
  /** The log's blocks: from this one up to `end`, then round again. */
  readonly first: number;
  readonly end: number;
  /** Where the first transaction begins that may not be in its place yet; 0: all are. */
  readonly start: number;
  readonly sequence: number;
  readonly is64bit: boolean;
  /** 0: no checksums; 1: of the commits; 2 and 3: of everything. */
  readonly checksums: 0 | 1 | 2 | 3;
  readonly hasFastCommits: boolean;
  /** What checksums start from. */
  readonly seed: number;
}

/**
 * Decodes and checks a journal's superblock.
 *
 * @param blocks how many the journal's inode has
 * @throws CalveError `unsupported` by feature, `corrupt`
 */
export function parseJournalSuperblock(block: Buffer, blocks: number): JournalSuperblock {
  const where = 'journal superblock';
  if (block.readUInt32BE(0) !== JOURNAL_MAGIC || !SUPERBLOCK_TYPES.includes(block.readUInt32BE(4))) {
    throw corrupt(where, 'it does not begin as one');
  }
  const isFirstVersion = block.readUInt32BE(4) === SUPERBLOCK_TYPES[0];
  const incompat = isFirstVersion ? 0 : block.readUInt32BE(0x28);
  const compat = isFirstVersion ? 0 : block.readUInt32BE(0x24);
  if ((incompat & ~KNOWN) !== 0) {
    throw new CalveError(
      'unsupported',
      `the journal has features that are not read here: 0x${(incompat >>> 0).toString(16)}`,
    );
  }
  const checksums =
    incompat & INCOMPAT.csumV3 ? 3 : incompat & INCOMPAT.csumV2 ? 2 : compat & COMPAT_CHECKSUM ? 1 : 0;
  if (checksums >= 2) {
    if (block.readUInt8(0x50) !== CRC32C) throw corrupt(where, `checksums of kind ${block.readUInt8(0x50)}`);
    const counted = Buffer.from(block.subarray(0, SIZE));
    counted.writeUInt32BE(0, CHECKSUM_AT);
    checkChecksum(where, block.readUInt32BE(CHECKSUM_AT), crc32c(0xffffffff, counted));
  }
  const length = block.readUInt32BE(0x10);
  const hasFastCommits = (incompat & INCOMPAT.fastCommit) !== 0;
  const fast = hasFastCommits ? block.readUInt32BE(0x54) || DEFAULT_FAST_COMMIT_BLOCKS : 0;
  const first = block.readUInt32BE(0x14);
  const start = block.readUInt32BE(0x1c);
  const end = length - fast;
  if (block.readUInt32BE(0xc) !== block.length)
    throw corrupt(where, `blocks of ${block.readUInt32BE(0xc)} bytes`);
  if (length > blocks || first < 1 || first >= end || (start !== 0 && (start < first || start >= end))) {
    throw corrupt(where, `a log from block ${first} to ${end} of ${blocks}, in use from ${start}`);
  }
  return {
    first,
    end,
    start,
    sequence: block.readUInt32BE(0x18),
    is64bit: (incompat & INCOMPAT.is64bit) !== 0,
    checksums,
    hasFastCommits,
    seed: crc32c(0xffffffff, block, 0x30, 0x40),
  };
}
