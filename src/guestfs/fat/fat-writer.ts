import { writeZeroesTo } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { printablePath } from '../printable-path.ts';
import type { FileAttributes, FileSource, TreeChange } from '../tree-change.ts';
import { clusterOffset, ENTRY_SIZE } from './boot-sector.ts';
import { ClusterWalk } from './cluster-walk.ts';
import { DirectoryIndex, type DirectoryParts, type IndexedName } from './directory-index.ts';
import { changedEntry, type EntryFacts, newEntry } from './entry-bytes.ts';
import { describe, type FatInode, ROOT, rootInode } from './fat-inode.ts';
import { fatName } from './fat-name.ts';
import { fileClusters } from './file-clusters.ts';
import { longNameParts } from './long-name.ts';
import { type ShortAlias, shortAlias } from './short-alias.ts';
import { SourceReader } from './source-reader.ts';

const SLASH = 0x2f;
const LARGEST_FILE = 0xffff_ffff;
/** Content is written in pieces of this many bytes. */
const PIECE = 1 << 20;
/** Bytes of directories that are kept in memory; one has 2 MiB at most, its index some times more. */
const KEPT_DIRECTORIES = 4 << 20;

/** How files are written. */
export interface WriteFatOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of content written so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** A name that is to be written. */
interface PlannedName {
  /** Where, in bytes from the start of the directory. */
  readonly at: number;
  readonly alias: ShortAlias;
  /** The entries of the long name. */
  readonly parts: Buffer;
}

/** Applies steps to a file system, one after the other. */
export class FatWriter {
  readonly #parts: DirectoryParts;
  readonly #options: WriteFatOptions;
  /** By their first cluster, those used least recently first. */
  readonly #directories = new Map<number, DirectoryIndex>();
  #written = 0;

  constructor(parts: DirectoryParts, options: WriteFatOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async apply(change: TreeChange): Promise<void> {
    const { path } = change;
    const where = printablePath(path);
    if (change.kind === 'symlink' || change.kind === 'link') {
      throw new CalveError('unsupported', `${where}: a FAT file system has no ${change.kind}s`, {
        data: { path: where },
      });
    }
    // The root is there, and nothing about it can be kept.
    if (change.kind === 'directory' && path.length === 0) return;
    const slash = path.lastIndexOf(SLASH);
    const name = path.subarray(slash + 1);
    if (change.kind !== 'remove') fatName(name, path);
    const parent = await this.#directory(path.subarray(0, Math.max(0, slash)));
    if (change.kind === 'remove') await this.#remove(parent, name, where);
    else if (change.kind === 'directory') await this.#makeDirectory(parent, name, change.attributes, where);
    else await this.#writeFile(parent, name, change, where);
  }

  async #remove(parent: DirectoryIndex, name: Buffer, where: string): Promise<void> {
    const found = parent.find(name);
    if (found === undefined) throw new CalveError('not-found', `${where}: no such file in the guest`);
    const { type, cluster } = parent.inodeOf(found);
    if (type === 'directory')
      throw new CalveError('exists', `${where} is a directory, which is not taken away`);
    await parent.remove(found);
    await this.#free(cluster, where);
  }

  async #makeDirectory(
    parent: DirectoryIndex,
    name: Buffer,
    attributes: FileAttributes,
    where: string,
  ): Promise<void> {
    const found = this.#findOwn(parent, name, 'directory', where);
    if (found !== undefined) {
      const { cluster } = parent.inodeOf(found);
      await parent.update(
        found,
        changedEntry(parent.entry(found), { attributes, isDirectory: true, cluster, size: 0 }),
      );
      return;
    }
    const { disk, layout, table, allocator } = this.#parts;
    const planned = await this.#plan(parent, name, where);
    const cluster = await allocator.chain(1, where);
    const facts: EntryFacts = { attributes, isDirectory: true, cluster, size: 0 };
    const offset = clusterOffset(layout, cluster);
    const above = parent.inode.number === ROOT ? 0 : parent.inode.cluster;
    await writeZeroesTo(disk, offset, layout.clusterSize);
    await disk.write(
      Buffer.concat([newEntry(dots('.'), facts), newEntry(dots('..'), { ...facts, cluster: above })]),
      offset,
    );
    await table.sync(disk);
    await this.#insert(parent, planned, name, facts);
  }

  async #writeFile(
    parent: DirectoryIndex,
    name: Buffer,
    { attributes, source }: TreeChange & { kind: 'file' },
    where: string,
  ): Promise<void> {
    const { size } = source;
    if (size > LARGEST_FILE) {
      throw new CalveError(
        'unsupported',
        `${where}: ${size} bytes; a file of FAT has at most ${LARGEST_FILE}`,
      );
    }
    const found = this.#findOwn(parent, name, 'file', where);
    const planned = found === undefined ? await this.#plan(parent, name, where) : undefined;
    const { layout, allocator, table, disk } = this.#parts;
    const clusters = Math.ceil(size / layout.clusterSize);
    const cluster = await allocator.chain(clusters, where);
    if (clusters > 0) await this.#writeContent(source, cluster, clusters, where);
    await table.sync(disk);
    const facts: EntryFacts = { attributes, isDirectory: false, cluster, size };
    if (planned !== undefined) await this.#insert(parent, planned, name, facts);
    if (found === undefined) return;
    const old = parent.inodeOf(found).cluster;
    await parent.update(found, changedEntry(parent.entry(found), facts));
    await this.#free(old, where);
  }

  /** The file that a step is about; what was written here under a name that differs in case alone is another one. */
  #findOwn(
    parent: DirectoryIndex,
    name: Buffer,
    type: 'file' | 'directory',
    where: string,
  ): IndexedName | undefined {
    const found = parent.find(name);
    if (found === undefined) {
      const other = parent.findAlias(name);
      if (other === undefined) return undefined;
      throw new CalveError('exists', `${where}: that is the short name of ${printablePath(other.name)} here`);
    }
    if (found.isNew && !found.name.equals(name)) {
      throw new CalveError(
        'exists',
        `${where}: ${printablePath(found.name)} was written too, and FAT tells no upper from lower case`,
      );
    }
    const { type: own } = parent.inodeOf(found);
    if (own !== type) throw new CalveError('exists', `${where}: expected a ${type} or nothing, got a ${own}`);
    return found;
  }

  /** How a new name will stand in its directory, which has room for it then. */
  async #plan(parent: DirectoryIndex, name: Buffer, where: string): Promise<PlannedName> {
    const text = name.toString();
    const alias = shortAlias(text, (each) => parent.isTaken(each));
    const parts = alias.saysAll ? Buffer.alloc(0) : longNameParts(text, alias.bytes);
    return { at: await parent.reserve(parts.length / ENTRY_SIZE + 1, where), alias, parts };
  }

  async #insert(
    parent: DirectoryIndex,
    { at, alias, parts }: PlannedName,
    name: Buffer,
    facts: EntryFacts,
  ): Promise<void> {
    const entries = Buffer.concat([parts, newEntry(alias.bytes, facts)]);
    await parent.insert(at, entries, Buffer.from(name), Buffer.from(alias.text));
  }

  async #writeContent(source: FileSource, cluster: number, count: number, where: string): Promise<void> {
    const { disk, layout, table } = this.#parts;
    const { clusterSize } = layout;
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, count * clusterSize));
    await using reader = new SourceReader(source);
    const walk = new ClusterWalk(table, cluster, where);
    for await (const run of fileClusters(walk, 0, count, where)) {
      const base = clusterOffset(layout, run.cluster) - run.first * clusterSize;
      const end = (run.first + run.count) * clusterSize;
      for (let at = run.first * clusterSize; at < end; ) {
        if (this.#options.signal?.aborted === true) {
          throw new CalveError('aborted', `${where}: writing it was ended`);
        }
        const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
        if (await reader.fill(piece, at)) await disk.write(piece, base + at);
        else await writeZeroesTo(disk, base + at, piece.length);
        at += piece.length;
        this.#written += Math.min(at, source.size) - (at - piece.length);
        this.#options.onProgress?.(this.#written);
      }
    }
  }

  /** Gives the clusters of what nothing names any more back. */
  async #free(cluster: number, where: string): Promise<void> {
    if (cluster === 0) return;
    await this.#parts.allocator.free(cluster, where);
    await this.#parts.table.sync(this.#parts.disk);
  }

  async #directory(path: Buffer): Promise<DirectoryIndex> {
    let here = await this.#load(rootInode(this.#parts.layout));
    for (let at = 0; at < path.length; ) {
      const slash = path.indexOf(SLASH, at);
      const end = slash < 0 ? path.length : slash;
      const name = path.subarray(at, end);
      const found = here.find(name) ?? here.findAlias(name);
      const inode = found === undefined ? undefined : here.inodeOf(found);
      if (inode?.type !== 'directory') {
        throw new CalveError(
          'not-found',
          `${printablePath(path.subarray(0, end))}: expected a directory, got ${inode?.type ?? 'nothing'}`,
        );
      }
      this.#parts.table.check(inode.cluster, describe(inode));
      here = await this.#load(inode);
      at = end + 1;
    }
    return here;
  }

  async #load(inode: FatInode): Promise<DirectoryIndex> {
    const kept = this.#directories.get(inode.cluster);
    const index = kept ?? (await DirectoryIndex.load(inode, this.#parts));
    this.#directories.delete(inode.cluster);
    this.#directories.set(inode.cluster, index);
    let bytes = 0;
    for (const each of this.#directories.values()) bytes += each.size;
    for (const [cluster, each] of this.#directories) {
      if (bytes <= KEPT_DIRECTORIES || each === index) break;
      this.#directories.delete(cluster);
      bytes -= each.size;
    }
    return index;
  }
}

function dots(name: string): Buffer {
  return Buffer.from(name.padEnd(11), 'latin1');
}
