import { type WritableDisk, writeZeroesTo } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { foldName } from '../fold-name.ts';
import { clusterOffset, ENTRY_SIZE, type FatLayout, FIRST_CLUSTER } from './boot-sector.ts';
import type { ClusterAllocator } from './cluster-allocator.ts';
import {
  type DirectoryPiece,
  directoryContent,
  directoryPieces,
  LARGEST_DIRECTORY,
  placeIn,
} from './directory-content.ts';
import { directoryEntries, FREE, isEnd } from './directory-entries.ts';
import { describe, type FatInode, numberOf, parseEntry, ROOT } from './fat-inode.ts';
import type { FatTable } from './fat-table.ts';

/** What a directory stands on. */
export interface DirectoryParts {
  readonly disk: WritableDisk;
  readonly layout: FatLayout;
  readonly table: FatTable;
  readonly allocator: ClusterAllocator;
}

/** A name in a directory, with the place of its entries. */
export interface IndexedName {
  readonly name: Buffer;
  readonly alias: Buffer;
  /** Bytes from the start of the directory: of its first entry, and of the one that is not a part of a long name. */
  readonly from: number;
  readonly at: number;
  /** Whether it was written here. */
  isNew: boolean;
}

/** A directory that names are added to and taken from: all of it in memory, each change written at once. */
export class DirectoryIndex {
  readonly inode: FatInode;
  readonly #parts: DirectoryParts;
  readonly #pieces: DirectoryPiece[];
  #content: Buffer;
  /** What the content lies in, with zeros behind it. */
  #room: Buffer;
  /** By the name, folded; and by the short one. */
  readonly #names = new Map<string, IndexedName>();
  readonly #aliases = new Map<string, IndexedName>();
  /** From this byte on nothing was ever written. */
  #end: number;

  private constructor(inode: FatInode, parts: DirectoryParts, pieces: DirectoryPiece[], content: Buffer) {
    this.inode = inode;
    this.#parts = parts;
    this.#pieces = pieces;
    this.#content = content;
    this.#room = content;
    for (const { name, alias, from, at } of directoryEntries(content, describe(inode))) {
      this.#add({ name: Buffer.from(name), alias, from, at, isNew: false });
    }
    this.#end = 0;
    while (this.#end < content.length && !isEnd(content.subarray(this.#end, this.#end + ENTRY_SIZE))) {
      this.#end += ENTRY_SIZE;
    }
  }

  /** @throws CalveError `corrupt` */
  static async load(inode: FatInode, parts: DirectoryParts): Promise<DirectoryIndex> {
    const pieces = await directoryPieces(parts.layout, parts.table, inode);
    return new DirectoryIndex(inode, parts, pieces, await directoryContent(parts.disk, pieces));
  }

  /** Bytes that it takes on the disk. */
  get size(): number {
    return this.#content.length;
  }

  /** The file of this name, whatever its case. */
  find(name: Buffer): IndexedName | undefined {
    return this.#names.get(foldName(name));
  }

  /** The file with this short name. */
  findAlias(name: Buffer): IndexedName | undefined {
    return this.#aliases.get(foldName(name));
  }

  /** Whether a name, long or short, is like this text. */
  isTaken(text: string): boolean {
    const folded = foldName(Buffer.from(text));
    return this.#names.has(folded) || this.#aliases.has(folded);
  }

  entry(name: IndexedName): Buffer {
    return this.#content.subarray(name.at, name.at + ENTRY_SIZE);
  }

  inodeOf(name: IndexedName): FatInode {
    return parseEntry(this.#parts.layout, numberOf(placeIn(this.#pieces, name.at)), this.entry(name));
  }

  /**
   * Makes room for so many entries that follow each other, and keeps nothing of it: the next call may tell the same.
   * @returns where they begin
   * @throws CalveError `no-space`
   */
  async reserve(count: number, what: string): Promise<number> {
    const length = count * ENTRY_SIZE;
    if (this.#end + length <= this.#content.length) return this.#end;
    const hole = this.#hole(count);
    if (hole !== undefined) return hole;
    await this.#grow(this.#end + length, what);
    return this.#end;
  }

  /** Writes a new name at a place that was reserved: the parts of its long name, then the entry. */
  async insert(at: number, entries: Buffer, name: Buffer, alias: Buffer): Promise<void> {
    entries.copy(this.#content, at);
    const end = at + entries.length;
    if (end > this.#end) {
      this.#end = end;
      // What stood behind the old end may be anything: the new end is marked before it counts.
      if (end < this.#content.length) {
        this.#content.fill(0, end, end + ENTRY_SIZE);
        await this.#write(end, end + ENTRY_SIZE);
      }
    }
    await this.#write(at, end);
    this.#add({ name, alias, from: at, at: end - ENTRY_SIZE, isNew: true });
  }

  /** Writes a name's entry anew. */
  async update(name: IndexedName, entry: Buffer): Promise<void> {
    entry.copy(this.#content, name.at);
    await this.#write(name.at, name.at + ENTRY_SIZE);
    name.isNew = true;
  }

  /** Takes a name away, its entry before the parts of its long name: these alone count for nothing. */
  async remove(name: IndexedName): Promise<void> {
    for (let at = name.at; at >= name.from; at -= ENTRY_SIZE) {
      this.#content.writeUInt8(FREE, at);
      await this.#write(at, at + ENTRY_SIZE);
    }
    this.#names.delete(foldName(name.name));
    this.#aliases.delete(foldName(name.alias));
  }

  #add(name: IndexedName): void {
    const folded = foldName(name.name);
    if (!this.#names.has(folded)) this.#names.set(folded, name);
    const alias = foldName(name.alias);
    if (!this.#aliases.has(alias)) this.#aliases.set(alias, name);
  }

  /** Where so many entries that were freed follow each other. */
  #hole(count: number): number | undefined {
    let found = 0;
    for (let at = 0; at < this.#end; at += ENTRY_SIZE) {
      found = this.#content.readUInt8(at) === FREE ? found + 1 : 0;
      if (found === count) return at - (count - 1) * ENTRY_SIZE;
    }
    return undefined;
  }

  /** Adds clusters of zeros to the chain until the directory is as long. */
  async #grow(length: number, what: string): Promise<void> {
    const { disk, layout, table, allocator } = this.#parts;
    if (this.inode.number === ROOT && layout.root !== null) {
      throw new CalveError(
        'no-space',
        `${what}: the root directory of this FAT${layout.bits} is full: it has room for ${layout.root.length / ENTRY_SIZE} entries`,
      );
    }
    if (length > LARGEST_DIRECTORY) {
      throw new CalveError(
        'no-space',
        `${what}: its directory is full: ${LARGEST_DIRECTORY / ENTRY_SIZE} entries are the most`,
      );
    }
    const { clusterSize } = layout;
    const count = Math.ceil((length - this.#content.length) / clusterSize);
    const from = this.#content.length;
    const to = from + count * clusterSize;
    let last = this.#lastCluster();
    await allocator.require(count, what);
    for (let at = from; at < to; at += clusterSize) {
      const cluster = await allocator.chain(1, what);
      const offset = clusterOffset(layout, cluster);
      await writeZeroesTo(disk, offset, clusterSize);
      await table.sync(disk);
      // Linked when it is empty, never before.
      await table.set(last, cluster);
      await table.sync(disk);
      this.#pieces.push({ from: at, offset, length: clusterSize });
      last = cluster;
    }
    if (to > this.#room.length) {
      // Twice as much: a directory grows by many small clusters.
      const room = Buffer.alloc(2 * to);
      this.#content.copy(room);
      this.#room = room;
    }
    this.#content = this.#room.subarray(0, to);
  }

  #lastCluster(): number {
    const { layout } = this.#parts;
    const piece = this.#pieces.at(-1);
    const end = (piece?.offset ?? 0) + (piece?.length ?? 0) - layout.clusterSize;
    return FIRST_CLUSTER + Math.floor((end - layout.dataOffset) / layout.clusterSize);
  }

  /** Writes a range of the content to where it lies. */
  async #write(from: number, to: number): Promise<void> {
    for (const piece of this.#pieces) {
      const start = Math.max(from, piece.from);
      const end = Math.min(to, piece.from + piece.length);
      if (start >= end) continue;
      await this.#parts.disk.write(this.#content.subarray(start, end), piece.offset + start - piece.from);
    }
  }
}
