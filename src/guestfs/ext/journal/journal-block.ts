import { corrupt } from '../corrupt.ts';
import { crc32c } from '../crc32c.ts';
import { JOURNAL_MAGIC, type JournalSuperblock } from './journal-superblock.ts';

// Every block of the log but those of data begins with: 0 magic · 4 type · 8 sequence; big-endian.
export const BLOCK_TYPE = { descriptor: 1, commit: 2, revoke: 5 } as const;
const HEADER = 12;
// A tag of a descriptor says which block the next one of data is.
//   version 3: 0 block · 4 flags u32 · 8 block, high · 12 checksum u32
//   before: 0 block · 4 checksum u16 · 6 flags u16 · 8 block, high (64bit); version 2 has 2 bytes more
const FLAG = { escaped: 0x1, sameUuid: 0x2, last: 0x8 } as const;
const UUID = 16;
/** Descriptors and revokes end with a checksum, from version 2 on. */
const TAIL = 4;
// Commit: 0xc kind of checksum u8 · 0xd its size u8 · 0x10 checksum
const COMMIT_CHECKSUM_AT = 0x10;
const COMMIT_CRC32 = 1;

/** Which block of the file system a block of the log holds. */
export interface JournalTag {
  readonly block: number;
  /** The first four bytes were the journal's magic, and stand as zeros in the log. */
  readonly escaped: boolean;
  /** 0 where there is none. */
  readonly checksum: number;
}

/** The type of a block of the log; undefined when it is none, or one of another transaction: the log ends there. */
export function blockType(block: Buffer, sequence: number): number | undefined {
  if (block.readUInt32BE(0) !== JOURNAL_MAGIC || block.readUInt32BE(8) !== sequence) return undefined;
  return block.readUInt32BE(4);
}

/** The blocks that follow a descriptor. @throws CalveError `corrupt` */
export function parseTags(journal: JournalSuperblock, block: Buffer, where: string): JournalTag[] {
  const { checksums, is64bit } = journal;
  const size = checksums === 3 ? 16 : 8 + (checksums === 2 ? 2 : 0) + (is64bit ? 4 : 0);
  const end = block.length - (checksums >= 2 ? TAIL : 0);
  const tags: JournalTag[] = [];
  for (let at = HEADER; at + size <= end; ) {
    const low = block.readUInt32BE(at);
    const flags = checksums === 3 ? block.readUInt32BE(at + 4) : block.readUInt16BE(at + 6);
    const high = is64bit ? block.readUInt32BE(at + 8) : 0;
    tags.push({
      block: high * 2 ** 32 + low,
      escaped: (flags & FLAG.escaped) !== 0,
      checksum:
        checksums === 3 ? block.readUInt32BE(at + 12) : checksums === 2 ? block.readUInt16BE(at + 4) : 0,
    });
    if (flags & FLAG.last) return tags;
    at += size + (flags & FLAG.sameUuid ? 0 : UUID);
  }
  if (tags.length === 0) throw corrupt(where, 'a descriptor of no blocks');
  return tags;
}

/** The blocks of which nothing that was logged before counts any more. @throws CalveError `corrupt` */
export function parseRevokes(journal: JournalSuperblock, block: Buffer, where: string): number[] {
  const size = journal.is64bit ? 8 : 4;
  const end = block.readUInt32BE(HEADER);
  const begin = HEADER + 4;
  if (end < begin || end > block.length - (journal.checksums >= 2 ? TAIL : 0)) {
    throw corrupt(where, `${end} bytes of revokes`);
  }
  const revokes: number[] = [];
  for (let at = begin; at + size <= end; at += size) {
    const high = journal.is64bit ? block.readUInt32BE(at) * 2 ** 32 : 0;
    revokes.push(high + block.readUInt32BE(at + size - 4));
  }
  return revokes;
}

/** Whether the checksum at the end of a descriptor or a revoke is right. */
export function isTailSound(journal: JournalSuperblock, block: Buffer): boolean {
  return isSound(journal, block, block.length - TAIL);
}

/** Whether the checksum of a commit is right: from version 2 on its own, before that of all that it commits. */
export function isCommitSound(journal: JournalSuperblock, block: Buffer, crc32: number): boolean {
  if (journal.checksums === 1) {
    const kind = block.readUInt8(0xc);
    const stored = block.readUInt32BE(COMMIT_CHECKSUM_AT);
    if (kind === 0 && stored === 0) return true;
    return kind === COMMIT_CRC32 && block.readUInt8(0xd) === 4 && stored === crc32;
  }
  return isSound(journal, block, COMMIT_CHECKSUM_AT);
}

function isSound(journal: JournalSuperblock, block: Buffer, at: number): boolean {
  if (journal.checksums < 2) return true;
  const counted = Buffer.from(block);
  counted.writeUInt32BE(0, at);
  return block.readUInt32BE(at) === crc32c(journal.seed, counted);
}

/** Whether a block of data is what its tag says, as it stands in the log. */
export function isDataSound(
  journal: JournalSuperblock,
  tag: JournalTag,
  sequence: number,
  data: Buffer,
): boolean {
  if (journal.checksums < 2) return true;
  const number = Buffer.alloc(4);
  number.writeUInt32BE(sequence);
  const crc = crc32c(crc32c(journal.seed, number), data);
  return tag.checksum === (journal.checksums === 3 ? crc : crc & 0xffff);
}
