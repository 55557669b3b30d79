import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { MetadataClusters, MetadataKind } from './metadata-clusters.ts';
import type { HostRange, RefcountTable } from './refcount-table.ts';
import type { Refcounts } from './refcounts.ts';

/** Clusters in a row that were given away, by number. */
export interface ClusterRun {
  readonly first: number;
  readonly count: number;
  /** They were never used, so that the file reads zeros there. */
  readonly fresh: boolean;
}

const SHARED_BY_TWO = 2;

/**
 * Gives clusters of the file away, each with a refcount of one, and takes them back. Members run one at a time, under
 * the writer's mutex. Everything happens in memory; a cluster may be pointed at on disk only when its refcount is there.
 */
export class Allocator {
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #refcounts: Refcounts;
  readonly #table: RefcountTable;
  readonly #metadata: MetadataClusters;
  /** No cluster below is free. */
  #hint = 0;
  /** Clusters from here on lie past the end of the file and were never given away. */
  #freshFrom: number;
  /** Told of each cluster that is free again. */
  onFree: (cluster: number) => void = () => {};

  constructor(
    file: ImageFile,
    clusterSize: number,
    refcounts: Refcounts,
    table: RefcountTable,
    metadata: MetadataClusters,
  ) {
    this.#file = file;
    this.#clusterSize = clusterSize;
    this.#refcounts = refcounts;
    this.#table = table;
    this.#metadata = metadata;
    this.#freshFrom = Math.ceil(file.end / clusterSize);
  }

  /** Clusters for guest data: as many in a row as there are where the first free one is, at most `atMost`. */
  async take(atMost: number): Promise<ClusterRun> {
    while (true) {
      const { first, count } = await this.#refcounts.findFree(this.#hint, atMost);
      this.#hint = first;
      if (await this.#prepare(first, count)) {
        this.#hint = first + count;
        return this.#give(first, count);
      }
    }
  }

  /** Just this cluster, for guest data; false when it is not free. */
  async takeAt(cluster: number): Promise<boolean> {
    do if (!(await this.#refcounts.isFree(cluster))) return false;
    while (!(await this.#prepare(cluster, 1)));
    if (cluster === this.#hint) this.#hint += 1;
    await this.#give(cluster, 1);
    return true;
  }

  /** One reference more on a cluster that holds guest data; false when it cannot have more (trap 29). */
  share(cluster: number): Promise<boolean> {
    this.#metadata.checkData(cluster * this.#clusterSize, this.#clusterSize);
    return this.#refcounts.raise(cluster);
  }

  /** Clusters in a row for a structure, which count as metadata from then on (trap 30). */
  async takeFor(kind: MetadataKind, count: number): Promise<HostRange> {
    let from = this.#hint;
    while (true) {
      const found = await this.#refcounts.findFree(from, count);
      if (found.count < count) {
        from = found.first + found.count;
      } else if (await this.#prepare(found.first, count, true)) {
        if (found.first === this.#hint) this.#hint += count;
        await this.#give(found.first, count);
        const range = { offset: found.first * this.#clusterSize, length: count * this.#clusterSize };
        this.#metadata.add(kind, range.offset, range.length);
        return range;
      }
    }
  }

  /**
   * Takes one reference off each of some clusters in a row, which nothing on disk may point at any more. Returns those
   * that are free now, as runs.
   * @param keepShared two references are left as they are: see PendingFrees
   * @throws CalveError `corrupt` when there was none
   */
  async release(first: number, count: number, keepShared = false): Promise<HostRange[]> {
    const free: HostRange[] = [];
    let run: { offset: number; length: number } | undefined;
    await this.#refcounts.lower(first, count, keepShared ? SHARED_BY_TWO : undefined, (cluster) => {
      const offset = cluster * this.#clusterSize;
      this.#hint = Math.min(this.#hint, cluster);
      this.onFree(cluster);
      if (this.#metadata.kindOf(cluster) !== undefined) this.#metadata.remove(offset, this.#clusterSize);
      if (run && run.offset + run.length === offset) {
        run.length += this.#clusterSize;
      } else {
        run = { offset, length: this.#clusterSize };
        free.push(run);
      }
    });
    return free;
  }

  async #give(first: number, count: number): Promise<ClusterRun> {
    // A free cluster that holds metadata means that the refcounts are wrong, and others may be too.
    this.#metadata.checkData(first * this.#clusterSize, count * this.#clusterSize);
    await this.#refcounts.set(first, count, 1);
    const fresh = first >= this.#freshFrom;
    this.#freshFrom = Math.max(this.#freshFrom, first + count);
    return { first, count, fresh };
  }

  /**
   * True when refcount blocks count all these clusters; else makes one that was missing, which may take one of them.
   * @param inOne they are for a structure, which no block may cut in two: it takes the first of them then
   */
  async #prepare(first: number, count: number, inOne = false): Promise<boolean> {
    const { blockEntries } = this.#refcounts;
    for (let cluster = first; cluster < first + count; cluster += blockEntries - (cluster % blockEntries)) {
      if (this.#refcounts.hasBlock(cluster)) continue;
      const index = Math.floor(cluster / blockEntries);
      const own = index * blockEntries;
      await this.#addBlock(index, inOne && own > first ? first : own);
      return false;
    }
    return true;
  }

  /**
   * A block for a free cluster of its own: one that another block counts already, or the first of those that it counts
   * itself. With no block there yet, that one is free (trap 25).
   */
  async #addBlock(index: number, cluster: number): Promise<void> {
    if (index >= this.#table.capacity) return this.#growTable(index + 1);
    const offset = cluster * this.#clusterSize;
    this.#metadata.checkData(offset, this.#clusterSize);
    this.#refcounts.createBlock(index, offset);
    this.#metadata.add('refcount block', offset, this.#clusterSize);
    await this.#refcounts.set(cluster, 1, 1);
    this.#freshFrom = Math.max(this.#freshFrom, cluster + 1);
  }

  /**
   * A larger table at a new place. It grows in memory first, so that blocks for the new place find room in it. Whoever
   * writes the table releases the old place, once the header names the new one.
   */
  async #growTable(blocks: number): Promise<void> {
    const { blockEntries } = this.#refcounts;
    const perCluster = this.#clusterSize / ENTRY_SIZE;
    const wanted = Math.max(blocks, Math.ceil(this.#table.capacity * 1.5));
    let clusters = Math.ceil(wanted / perCluster);
    // Room for the blocks that count the table itself: as it lies across at most one more than it fills.
    clusters = Math.ceil((wanted + Math.ceil(clusters / blockEntries) + 2) / perCluster);
    if (clusters * this.#clusterSize > MAX_REFCOUNT_TABLE_BYTES) {
      throw new CalveError(
        'no-space',
        `${this.#file.path}: the refcount table is at its limit of ${MAX_REFCOUNT_TABLE_BYTES} bytes`,
      );
    }
    try {
      this.#table.extend(clusters * perCluster);
      this.#table.moveTo(await this.takeFor('refcount table', clusters));
    } catch (error) {
      // The table in memory has room now that it has not on disk.
      this.#file.fail(error);
      throw error;
    }
  }
}
