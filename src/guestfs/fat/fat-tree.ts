import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { DirectoryContents } from '../directory-contents.ts';
import type { DirectoryEntry, ExtendedAttribute, FileExtent, FileTree } from '../file-tree.ts';
import { foldName } from '../fold-name.ts';
import type { Inode } from '../inode.ts';
import { resolvePath } from '../resolve-path.ts';
import { RunCache } from '../run-cache.ts';
import { BOOT_SECTOR_SIZE, clusterOffset, ENTRY_SIZE, type FatLayout } from './boot-sector.ts';
import { ClusterWalk } from './cluster-walk.ts';
import { corrupt } from './corrupt.ts';
import { directoryContent, directoryPieces, mayHoldEntries, placeIn } from './directory-content.ts';
import { directoryEntries, type FatEntry, isFile } from './directory-entries.ts';
import { clustersOf, describe, type FatInode, numberOf, parseEntry, ROOT, rootInode } from './fat-inode.ts';
import { FatTable } from './fat-table.ts';
import { fileClusters } from './file-clusters.ts';

/** Entries that are asked for one by one are read with their neighbours. */
const ENTRIES_RUN = 4096;
const KEPT_BYTES = 8 << 20;
/** So many files that are being read keep the place that they have come to. */
const MOST_WALKS = 64;

/** What a tree stands on. */
export interface FatParts {
  /** The file system, whole; stays open. */
  readonly disk: Disk;
  /** Where it begins on the whole disk, in bytes. */
  readonly diskOffset: number;
  readonly layout: FatLayout;
}

/** A FAT12, FAT16 or FAT32 file system. Names are compared as Linux's vfat does: whatever their case. */
export class FatTree implements FileTree {
  readonly kind = 'fat';
  readonly replayedBlocks = 0;
  readonly #disk: Disk;
  readonly #diskOffset: number;
  readonly #layout: FatLayout;
  readonly #table: FatTable;
  readonly #entries: RunCache;
  readonly #directories = new DirectoryContents();
  /** By the number of the file, those gone on least recently first. */
  readonly #walks = new Map<number, ClusterWalk>();

  constructor({ disk, diskOffset, layout }: FatParts) {
    this.#disk = disk;
    this.#diskOffset = diskOffset;
    this.#layout = layout;
    this.#table = new FatTable(disk, layout);
    this.#entries = new RunCache(disk, { runBytes: ENTRIES_RUN, bytes: KEPT_BYTES });
  }

  async root(): Promise<Inode> {
    return rootInode(this.#layout);
  }

  lookup(path: string | Uint8Array, options: { readonly follow?: boolean } = {}): Promise<Inode> {
    return resolvePath(this, path, options.follow ?? true, (directory, name) => this.#find(directory, name));
  }

  async stat(number: number): Promise<FatInode> {
    if (number === ROOT) return rootInode(this.#layout);
    const offset = this.#place(number);
    const bytes = await this.#entries.bytes(offset, ENTRY_SIZE);
    if (!isFile(bytes)) throw new CalveError('not-found', `no file has the number ${number}`);
    return parseEntry(this.#layout, number, bytes);
  }

  async *list(directory: Inode): AsyncGenerator<DirectoryEntry> {
    for await (const { name, inode } of this.#files(directory)) {
      yield { name: Buffer.from(name), inode: inode.number, type: inode.type };
    }
  }

  async read(file: Inode, offset: number, into: Uint8Array): Promise<number> {
    const inode = await this.#whole(file);
    if (inode.type === 'directory') throw expectedOther('file', inode);
    const length = Math.max(0, Math.min(into.length, inode.size - offset));
    if (length === 0) return 0;
    clustersOf(this.#layout, inode);
    const { clusterSize } = this.#layout;
    const from = Math.floor(offset / clusterSize);
    const walk = this.#takeWalk(inode, from);
    const end = Math.ceil((offset + length) / clusterSize);
    for await (const { first, cluster, count } of fileClusters(walk, from, end, describe(inode))) {
      const start = Math.max(offset, first * clusterSize);
      const stop = Math.min(offset + length, (first + count) * clusterSize);
      const piece = into.subarray(start - offset, stop - offset);
      const at = clusterOffset(this.#layout, cluster) + start - first * clusterSize;
      if (this.#disk.tryRead?.(piece, at) !== true) await this.#disk.read(piece, at);
    }
    this.#keepWalk(inode, walk);
    return length;
  }

  async readLink(symlink: Inode): Promise<Buffer> {
    throw expectedOther('symlink', symlink);
  }

  async xattrs(): Promise<ExtendedAttribute[]> {
    return [];
  }

  async *extents(inode: Inode): AsyncGenerator<FileExtent> {
    const whole = await this.#whole(inode);
    if (whole.type === 'directory') {
      for (const { from, offset, length } of await directoryPieces(this.#layout, this.#table, whole)) {
        yield { offset: from, length, diskOffset: this.#diskOffset + offset };
      }
      return;
    }
    const end = clustersOf(this.#layout, whole);
    if (end === 0) return;
    const { clusterSize } = this.#layout;
    const where = describe(whole);
    const walk = new ClusterWalk(this.#table, whole.cluster, where);
    for await (const { first, cluster, count } of fileClusters(walk, 0, end, where)) {
      yield {
        offset: first * clusterSize,
        length: count * clusterSize,
        diskOffset: this.#diskOffset + clusterOffset(this.#layout, cluster),
      };
    }
  }

  /**
   * Of a file its entry, of the root the boot sector. Which clusters follow the first one is told by the file
   * allocation table alone: compare `extents`, too.
   */
  async inodeRange(number: number): Promise<{ offset: number; length: number }> {
    if (number === ROOT) return { offset: this.#diskOffset, length: BOOT_SECTOR_SIZE };
    return { offset: this.#diskOffset + this.#place(number), length: ENTRY_SIZE };
  }

  async close(): Promise<void> {
    this.#table.clear();
    this.#entries.clear();
    this.#walks.clear();
    this.#directories.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Where an entry lies in the file system, in bytes. */
  #place(number: number): number {
    const offset = number * ENTRY_SIZE;
    if (!Number.isSafeInteger(offset) || !mayHoldEntries(this.#layout, offset)) {
      throw new CalveError('not-found', `no file has the number ${number}`);
    }
    return offset;
  }

  async *#files(directory: Inode): AsyncGenerator<FatEntry & { readonly inode: FatInode }> {
    const inode = await this.#whole(directory);
    if (inode.type !== 'directory') throw expectedOther('directory', inode);
    const pieces = await directoryPieces(this.#layout, this.#table, inode);
    const other = this.#directories.claim(inode.cluster, inode.number);
    if (other !== undefined) {
      throw corrupt(describe(inode), `it begins in cluster ${inode.cluster}, as directory ${other} does`);
    }
    const content = await directoryContent(this.#disk, pieces);
    for (const entry of directoryEntries(content, describe(inode))) {
      yield { ...entry, inode: parseEntry(this.#layout, numberOf(placeIn(pieces, entry.at)), entry.bytes) };
    }
  }

  /** By the long name or by the short one. */
  async #find(directory: Inode, name: Buffer): Promise<Inode | undefined> {
    const wanted = foldName(name).replace(/\.+$/, '');
    for await (const { name: long, alias, inode } of this.#files(directory)) {
      if (long.equals(name) || foldName(long) === wanted || foldName(alias) === wanted) return inode;
    }
    return undefined;
  }

  /** Where the content begins: of our own inode it is there, of one that was copied or stored it is read again. */
  async #whole(inode: Inode): Promise<FatInode> {
    return 'cluster' in inode ? (inode as FatInode) : this.stat(inode.number);
  }

  /** A way that has not come past this cluster of the file; nobody else has it meanwhile. */
  #takeWalk(inode: FatInode, index: number): ClusterWalk {
    const kept = this.#walks.get(inode.number);
    this.#walks.delete(inode.number);
    return kept !== undefined && kept.index <= index
      ? kept
      : new ClusterWalk(this.#table, inode.cluster, describe(inode));
  }

  #keepWalk(inode: FatInode, walk: ClusterWalk): void {
    const [oldest] = this.#walks.keys();
    if (oldest !== undefined && this.#walks.size >= MOST_WALKS) this.#walks.delete(oldest);
    this.#walks.set(inode.number, walk);
  }
}

function expectedOther(expected: string, { number, type }: Inode): CalveError {
  return new CalveError('usage', `expected a ${expected}, got inode ${number}, a ${type}`);
}
