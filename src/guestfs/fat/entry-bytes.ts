import type { FileAttributes } from '../tree-change.ts';
import { ENTRY_SIZE } from './boot-sector.ts';
import { ATTRIBUTE } from './directory-entries.ts';
import { encodeTime } from './fat-time.ts';

const NAME = 11;
const WRITABLE = 0o222;

/** What an entry is to say. */
export interface EntryFacts {
  readonly attributes: FileAttributes;
  readonly isDirectory: boolean;
  /** The first cluster; 0: none. */
  readonly cluster: number;
  /** Bytes; of a directory 0. */
  readonly size: number;
}

/** An entry for a new file or directory; the fields are listed in fat-inode.ts. When it was made is when it was changed. */
export function newEntry(shortName: Uint8Array, facts: EntryFacts): Buffer {
  const entry = Buffer.alloc(ENTRY_SIZE);
  entry.set(shortName.subarray(0, NAME));
  entry.writeUInt8(facts.isDirectory ? ATTRIBUTE.directory : ATTRIBUTE.archive, NAME);
  const made = encodeTime(facts.attributes.mtime);
  entry.writeUInt8(made.hundredths, 13);
  entry.writeUInt16LE(made.time, 14);
  entry.writeUInt16LE(made.date, 16);
  return changedEntry(entry, facts);
}

/** An entry with other facts: name, when it was made, and that it is hidden or a system's stay. */
export function changedEntry(old: Buffer, { attributes, isDirectory, cluster, size }: EntryFacts): Buffer {
  const entry = Buffer.from(old);
  let flags = entry.readUInt8(NAME);
  if (!isDirectory) {
    flags |= ATTRIBUTE.archive;
    flags = attributes.mode & WRITABLE ? flags & ~ATTRIBUTE.readOnly : flags | ATTRIBUTE.readOnly;
  }
  entry.writeUInt8(flags, NAME);
  const changed = encodeTime(attributes.mtime);
  entry.writeUInt16LE(encodeTime(attributes.atime).date, 18);
  entry.writeUInt16LE(changed.time, 22);
  entry.writeUInt16LE(changed.date, 24);
  entry.writeUInt16LE(cluster >>> 16, 20);
  entry.writeUInt16LE(cluster & 0xffff, 26);
  entry.writeUInt32LE(size, 28);
  return entry;
}
