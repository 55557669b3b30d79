import { CalveError } from '../../errors/index.ts';
import { BoundedCache, type CacheBudget } from '../bounded-cache.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import { maxRefcount } from '../refcount-entry.ts';
import { RefcountBlock } from './refcount-block.ts';
import type { RefcountTable } from './refcount-table.ts';

/**
 * How often each cluster of the file is used. Blocks used lately are in memory; what is changed counts there at once and
 * is written by `write`. Members run one at a time, under the writer's mutex.
 */
export class Refcounts {
  readonly #file: ImageFile;
  readonly #geometry: Geometry;
  readonly #table: RefcountTable;
  readonly #cache: BoundedCache<RefcountBlock>;
  readonly #dirty = new Set<RefcountBlock>();

  constructor(file: ImageFile, geometry: Geometry, table: RefcountTable, budget: CacheBudget) {
    this.#file = file;
    this.#geometry = geometry;
    this.#table = table;
    this.#cache = new BoundedCache(budget, geometry.clusterSize);
  }

  /** Clusters that one block counts. */
  get blockEntries(): number {
    return this.#geometry.blockEntries;
  }

  /** Whether there is a block for the cluster; where there is none, the refcount is 0. */
  hasBlock(cluster: number): boolean {
    return this.#table.blockOffset(Math.floor(cluster / this.blockEntries)) !== 0;
  }

  /** How often a cluster is used. */
  async count(cluster: number): Promise<number> {
    const { block, start } = await this.#blockOf(cluster, cluster + 1);
    return block?.get(cluster - start) ?? 0;
  }

  /**
   * Sets the refcounts of clusters in a row, for which there are blocks.
   * @throws CalveError `out-of-range` when the width cannot hold the count (trap 29)
   */
  async set(first: number, clusters: number, count: number): Promise<void> {
    const most = maxRefcount(this.#geometry.refcountBits);
    if (count > most) {
      throw new CalveError('out-of-range', `refcount: expected at most ${most}, got ${count}`);
    }
    for (let cluster = first; cluster < first + clusters; ) {
      const { block, start, end } = await this.#blockOf(cluster, first + clusters);
      if (!block)
        throw new CalveError('corrupt', `${this.#file.path}: no refcount block for cluster ${cluster}`);
      for (; cluster < end; cluster += 1) block.set(cluster - start, count);
      this.#markDirty(block);
    }
  }

  /** Whether nothing uses the cluster. */
  async isFree(cluster: number): Promise<boolean> {
    const { block, start } = await this.#blockOf(cluster, cluster + 1);
    return (block?.get(cluster - start) ?? 0) === 0;
  }

  /** One reference more on a cluster that is in use; false when the width cannot hold it (trap 29). */
  async raise(cluster: number): Promise<boolean> {
    const { block, start } = await this.#blockOf(cluster, cluster + 1);
    const count = block?.get(cluster - start) ?? 0;
    if (!block || count === 0) throw this.#inUseWithoutCount(cluster);
    if (count >= maxRefcount(this.#geometry.refcountBits)) return false;
    block.set(cluster - start, count + 1);
    this.#markDirty(block);
    return true;
  }

  /**
   * Adds one reference to each of some clusters in a row, which are in use. Changes nothing when it throws.
   * @throws CalveError `out-of-range` when the width cannot hold one more (trap 29); `corrupt` at one that is not in use
   */
  async raiseEach(first: number, clusters: number): Promise<void> {
    const most = maxRefcount(this.#geometry.refcountBits);
    await this.visit(first, clusters, (cluster, count) => {
      if (count === 0) throw this.#inUseWithoutCount(cluster);
      if (count >= most) throw this.#tooNarrow(cluster, most);
    });
    for (let cluster = first; cluster < first + clusters; ) {
      const { block, start, end } = await this.#blockOf(cluster, first + clusters);
      if (!block) throw this.#inUseWithoutCount(cluster);
      for (; cluster < end; cluster += 1) block.set(cluster - start, block.get(cluster - start) + 1);
      this.#markDirty(block);
    }
  }

  /** Tells the refcount of each of some clusters in a row; what no block counts has none. */
  async visit(
    first: number,
    clusters: number,
    onCount: (cluster: number, count: number) => void,
  ): Promise<void> {
    for (let cluster = first; cluster < first + clusters; ) {
      const { block, start, end } = await this.#blockOf(cluster, first + clusters);
      for (; cluster < end; cluster += 1) onCount(cluster, block?.get(cluster - start) ?? 0);
    }
  }

  /**
   * Takes one reference off each of some clusters in a row, and tells of each that has none left.
   * @param except clusters with this count are left as they are
   * @throws CalveError `corrupt` at the first that had none
   */
  async lower(
    first: number,
    clusters: number,
    except: number | undefined,
    onFree: (cluster: number) => void,
  ): Promise<void> {
    for (let cluster = first; cluster < first + clusters; ) {
      const { block, start, end } = await this.#blockOf(cluster, first + clusters);
      for (; cluster < end; cluster += 1) {
        const count = block?.get(cluster - start) ?? 0;
        if (!block || count === 0) throw this.#inUseWithoutCount(cluster);
        if (count === except) continue;
        block.set(cluster - start, count - 1);
        this.#markDirty(block);
        if (count === 1) onFree(cluster);
      }
    }
  }

  /**
   * The first cluster from `from` on that is free, and how many in a row are, up to `atMost`. What no block counts is
   * free.
   */
  async findFree(from: number, atMost: number): Promise<{ first: number; count: number }> {
    let first = from;
    let count = 0;
    while (count < atMost) {
      const cluster = first + count;
      const { block, start, end } = await this.#blockOf(cluster, first + atMost);
      let free = cluster;
      while (free < end && (block?.get(free - start) ?? 0) === 0) free += 1;
      count += free - cluster;
      if (free === end) continue;
      if (count > 0) break;
      const blockEnd = start + this.blockEntries;
      while (free < blockEnd && (block?.get(free - start) ?? 0) > 0) free += 1;
      first = free;
    }
    return { first, count };
  }

  /** The last cluster below `end` that is in use; -1 if there is none. */
  async lastUsed(end: number): Promise<number> {
    for (let index = Math.ceil(end / this.blockEntries) - 1; index >= 0; index -= 1) {
      const block = await this.#load(index);
      const start = index * this.blockEntries;
      let entry = block ? Math.min(this.blockEntries, end - start) - 1 : -1;
      while (entry >= 0 && block?.get(entry) === 0) entry -= 1;
      if (entry >= 0) return start + entry;
    }
    return -1;
  }

  /**
   * Takes all blocks out of use that count nothing, or nothing but the cluster that they lie in, which nobody counts from
   * then on. Returns where they lay, in bytes.
   */
  async dropIdle(): Promise<number[]> {
    const places: number[] = [];
    for (let index = 0; index < this.#table.used; index += 1) {
      const block = await this.#load(index);
      if (!block || !this.#isIdle(block)) continue;
      this.#dirty.delete(block);
      this.#cache.delete(index);
      this.#table.setBlock(index, 0);
      places.push(block.offset);
    }
    return places;
  }

  #isIdle(block: RefcountBlock): boolean {
    const own = block.offset / this.#geometry.clusterSize - block.index * this.blockEntries;
    for (let entry = 0; entry < this.blockEntries; entry += 1) {
      const count = block.get(entry);
      if (count > (entry === own ? 1 : 0)) return false;
    }
    return true;
  }

  /** A new block, which lies in a cluster of its own. */
  createBlock(index: number, offset: number): void {
    const { clusterSize, refcountBits } = this.#geometry;
    const block = new RefcountBlock(index, offset, new Uint8Array(clusterSize), refcountBits);
    block.dirty.add(0, clusterSize);
    this.#table.setBlock(index, offset);
    this.#markDirty(block);
  }

  get dirtyBytes(): number {
    return this.#dirty.size * this.#geometry.clusterSize;
  }

  /** Writes what was changed, in the order of the file. */
  async write(check: (offset: number) => void): Promise<void> {
    for (const block of [...this.#dirty].sort((a, b) => a.offset - b.offset)) {
      check(block.offset);
      const { at, bytes } = block.dirty.partOf(block.bytes);
      await this.#file.write(bytes, block.offset + at);
      block.dirty.clear();
      this.#dirty.delete(block);
      this.#cache.unpin(block.index);
    }
  }

  clear(): void {
    this.#cache.clear();
  }

  /** The block that counts a cluster, the first cluster it counts, and the end of its part of a range. */
  async #blockOf(
    cluster: number,
    rangeEnd: number,
  ): Promise<{ block: RefcountBlock | undefined; start: number; end: number }> {
    const index = Math.floor(cluster / this.blockEntries);
    const start = index * this.blockEntries;
    return { block: await this.#load(index), start, end: Math.min(rangeEnd, start + this.blockEntries) };
  }

  async #load(index: number): Promise<RefcountBlock | undefined> {
    const cached = this.#cache.get(index);
    if (cached) return cached;
    const offset = this.#table.blockOffset(index);
    if (offset === 0) return undefined;
    const { clusterSize, refcountBits } = this.#geometry;
    const bytes = await this.#file.readStructure(`refcount block ${index}`, offset, clusterSize);
    const block = new RefcountBlock(index, offset, bytes, refcountBits);
    this.#cache.set(index, block);
    return block;
  }

  #markDirty(block: RefcountBlock): void {
    if (this.#dirty.has(block)) return;
    this.#dirty.add(block);
    this.#cache.pin(block.index, block);
  }

  #tooNarrow(cluster: number, most: number): CalveError {
    const offset = cluster * this.#geometry.clusterSize;
    const { path } = this.#file;
    const message = `${path}: refcount of the cluster at ${offset}: expected at most ${most}, got ${most + 1}`;
    return new CalveError('out-of-range', message, {
      hint: `qemu-img amend -f qcow2 -o refcount_bits=16 ${path}`,
      data: { path, offset, refcountBits: this.#geometry.refcountBits },
    });
  }

  #inUseWithoutCount(cluster: number): CalveError {
    const offset = cluster * this.#geometry.clusterSize;
    const { path } = this.#file;
    return new CalveError('corrupt', `${path}: the cluster at ${offset} was in use with a refcount of 0`, {
      hint: `qemu-img check -r all ${path}`,
      data: { path, offset },
    });
  }
}
