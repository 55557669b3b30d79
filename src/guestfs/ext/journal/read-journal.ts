import { CalveError } from '../../../errors/index.ts';
import { corrupt } from '../corrupt.ts';
import { crc32be } from './crc32-be.ts';
import {
  BLOCK_TYPE,
  blockType,
  isCommitSound,
  isDataSound,
  isTailSound,
  type JournalTag,
  parseRevokes,
  parseTags,
} from './journal-block.ts';
import type { JournalFile } from './journal-file.ts';
import type { JournalSuperblock } from './journal-superblock.ts';

/** Where the log holds what a block of the file system is to be. */
export interface LoggedBlock {
  /** Bytes from the start of the file system. */
  readonly offset: number;
  readonly escaped: boolean;
}

interface Transaction {
  readonly sequence: number;
  readonly tags: readonly { readonly tag: JournalTag; readonly offset: number }[];
  readonly revokes: readonly number[];
}

/**
 * What a replay of the journal would write: by block of the file system, the last that was committed. As in Linux a
 * transaction without its commit never happened, and what was revoked by a later one, or its own, is left out.
 *
 * @param blocks of the file system
 * @throws CalveError `corrupt` when a transaction that was committed is harmed; `unsupported` for fast commits
 */
export async function readJournal(
  file: JournalFile,
  journal: JournalSuperblock,
  blocks: number,
): Promise<Map<number, LoggedBlock>> {
  const transactions: Transaction[] = [];
  const cursor = new Cursor(journal);
  let sequence = journal.sequence;
  for (; journal.start !== 0; sequence = (sequence + 1) >>> 0) {
    const next = await readTransaction(file, journal, cursor, sequence);
    if (next === undefined) break;
    transactions.push(next);
  }
  if (journal.hasFastCommits) await refuseFastCommits(file, journal, sequence);
  const revoked = new Map<number, number>();
  for (const each of transactions) for (const block of each.revokes) revoked.set(block, each.sequence);
  const logged = new Map<number, LoggedBlock>();
  for (const each of transactions) {
    for (const { tag, offset } of each.tags) {
      if (tag.block >= blocks)
        throw corrupt(`journal transaction ${each.sequence}`, `block ${tag.block} of ${blocks}`);
      const last = revoked.get(tag.block);
      // Sequences count on from 2^32 - 1 to 0.
      if (last !== undefined && ((last - each.sequence) | 0) >= 0) continue;
      logged.set(tag.block, { offset, escaped: tag.escaped });
    }
  }
  return logged;
}

/** The blocks of the log, round and round, but each once. */
class Cursor {
  at: number;
  readonly #journal: JournalSuperblock;
  #left: number;

  constructor(journal: JournalSuperblock) {
    this.#journal = journal;
    this.at = journal.start;
    this.#left = journal.end - journal.first;
  }

  /** The next block's number in the journal; undefined when the log has been gone round. */
  next(): number | undefined {
    if (this.#left === 0) return undefined;
    this.#left -= 1;
    const { at } = this;
    this.at = at + 1 === this.#journal.end ? this.#journal.first : at + 1;
    return at;
  }
}

/** One transaction, if it was committed. */
async function readTransaction(
  file: JournalFile,
  journal: JournalSuperblock,
  cursor: Cursor,
  sequence: number,
): Promise<Transaction | undefined> {
  const tags: { tag: JournalTag; offset: number }[] = [];
  const revokes: number[] = [];
  // Only a commit shows whether a block was harmed, or never written whole.
  let harmed: string | undefined;
  let crc32 = 0xffffffff;
  const isSummed = journal.checksums === 1;
  for (let at = cursor.next(); at !== undefined; at = cursor.next()) {
    const where = `journal block ${at}`;
    const block = await file.read(at);
    const type = blockType(block, sequence);
    if (type === BLOCK_TYPE.descriptor) {
      if (!isTailSound(journal, block)) harmed ??= where;
      if (isSummed) crc32 = crc32be(crc32, block);
      for (const tag of parseTags(journal, block, where)) {
        const holder = cursor.next();
        if (holder === undefined) return undefined;
        const data = await file.read(holder);
        if (!isDataSound(journal, tag, sequence, data)) harmed ??= `journal block ${holder}`;
        if (isSummed) crc32 = crc32be(crc32, data);
        tags.push({ tag, offset: file.offsetOf(holder) });
      }
    } else if (type === BLOCK_TYPE.revoke) {
      if (!isTailSound(journal, block)) harmed ??= where;
      revokes.push(...parseRevokes(journal, block, where));
    } else if (type === BLOCK_TYPE.commit) {
      if (!isCommitSound(journal, block, crc32)) harmed ??= where;
      if (harmed !== undefined)
        throw corrupt(harmed, `a wrong checksum in transaction ${sequence}, which was committed`);
      return { sequence, tags, revokes };
    } else return undefined;
  }
  return undefined;
}

// A fast commit begins with a tag, little-endian: 0 type u16, 9 (head) · 2 length u16 · 4 features u32 · 8 sequence u32.
const HEAD = 9;

/** Fast commits tell changes of inodes and names, not blocks; nothing reads them here. */
async function refuseFastCommits(
  file: JournalFile,
  journal: JournalSuperblock,
  sequence: number,
): Promise<void> {
  const block = await file.read(journal.end);
  if (block.readUInt16LE(0) !== HEAD || block.readUInt32LE(8) !== sequence) return;
  throw new CalveError(
    'unsupported',
    'the journal holds fast commits (fast_commit), which are not replayed here',
    {
      hint: 'start the guest once, or mount the disk through calve nbd, so that Linux replays them',
    },
  );
}
