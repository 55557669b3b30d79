import type { Inode } from '../inode.ts';
import { ENTRY_SIZE, type FatLayout } from './boot-sector.ts';
import { corrupt } from './corrupt.ts';
import { ATTRIBUTE } from './directory-entries.ts';
import { decodeTime, NO_TIME } from './fat-time.ts';

// Entry (FAT specification, "Directory Structure"): 11 attributes u8 · 13 made, hundredths u8 · 14 made, time u16 ·
//   16 made, date u16 · 18 read, date u16 · 20 first cluster, high u16 (FAT32) · 22 written, time u16 · 24 written,
//   date u16 · 26 first cluster, low u16 · 28 size u32, 0 of a directory
/** As Linux shows them: all may read and enter, the owner may write what is not read-only. */
const MODE = 0o755;
const READ_ONLY_MODE = 0o555;
/** No entry stands so near to the start, where the boot sector is. */
export const ROOT = 1;

/** A file of a FAT file system, with where its content begins. */
export interface FatInode extends Inode {
  /** The first cluster; 0: it has none. */
  readonly cluster: number;
}

/**
 * The number of the file whose entry stands at this byte of the file system: it is the same for as long as the entry
 * stays where it is.
 */
export function numberOf(entryOffset: number): number {
  return entryOffset / ENTRY_SIZE;
}

/** What an entry says of a file. Links of a directory are not counted, nor is its size, which FAT keeps nowhere. */
export function parseEntry(layout: FatLayout, number: number, bytes: Buffer): FatInode {
  const attributes = bytes.readUInt8(11);
  const isDirectory = (attributes & ATTRIBUTE.directory) !== 0;
  const size = bytes.readUInt32LE(28);
  const cluster = bytes.readUInt16LE(26) + (layout.bits === 32 ? bytes.readUInt16LE(20) * 0x10000 : 0);
  const mtime = decodeTime(bytes.readUInt16LE(24), bytes.readUInt16LE(22)) ?? NO_TIME;
  return {
    number,
    type: isDirectory ? 'directory' : 'file',
    mode: attributes & ATTRIBUTE.readOnly && !isDirectory ? READ_ONLY_MODE : MODE,
    uid: 0,
    gid: 0,
    size: isDirectory ? 0 : size,
    links: 1,
    atime: decodeTime(bytes.readUInt16LE(18), 0) ?? mtime,
    mtime,
    ctime: mtime,
    crtime: decodeTime(bytes.readUInt16LE(16), bytes.readUInt16LE(14), bytes.readUInt8(13)),
    flags: attributes,
    generation: 0,
    allocated: isDirectory ? 0 : Math.ceil(size / layout.clusterSize) * layout.clusterSize,
    device: null,
    cluster,
  };
}

/** The directory that everything lies in: nothing tells anything about it. */
export function rootInode(layout: FatLayout): FatInode {
  return {
    number: ROOT,
    type: 'directory',
    mode: MODE,
    uid: 0,
    gid: 0,
    size: 0,
    links: 1,
    atime: NO_TIME,
    mtime: NO_TIME,
    ctime: NO_TIME,
    crtime: null,
    flags: ATTRIBUTE.directory,
    generation: 0,
    allocated: 0,
    device: null,
    cluster: layout.rootCluster,
  };
}

/** A name for errors. */
export function describe(inode: FatInode): string {
  return `${inode.type} ${inode.number}`;
}

/** @throws CalveError `corrupt` when a file's size asks for more clusters than there are, or it has none */
export function clustersOf(layout: FatLayout, inode: FatInode): number {
  const count = Math.ceil(inode.size / layout.clusterSize);
  if (count > layout.clusters) {
    throw corrupt(
      describe(inode),
      `${inode.size} bytes take ${count} clusters, of which there are ${layout.clusters}`,
    );
  }
  if (count > 0 && inode.cluster === 0) throw corrupt(describe(inode), `${inode.size} bytes and no cluster`);
  return count;
}
