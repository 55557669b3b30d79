import {
  type ClusterEntry,
  emptyEntry,
  subclustersBetween,
  subclustersOf,
} from '../mapping/cluster-entry.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { type GuestRange, rangesAround } from './ranges-around.ts';
import type { WriterParts } from './writer-parts.ts';

/** Host clusters that are going to hold what is written. */
export interface WriteTarget {
  /** Offset of the first, in the file that holds guest data. */
  readonly host: number;
  readonly count: number;
  /** The file reads zeros there. */
  readonly fresh: boolean;
  /** They are the guest clusters' already. */
  readonly placed: boolean;
  /** Bytes of the data that they take. */
  readonly length: number;
  /** What is written along with the data, in order and apart: what is missing around it, and what comes along. */
  readonly around: readonly GuestRange[];
  /** The L2 entries have to change. */
  readonly links: boolean;
}

/** Entries in a row that are all placed, in host clusters in a row, or all not. */
interface AlikeEntries {
  readonly placed: boolean;
  readonly host: number;
  readonly count: number;
}

/**
 * Finds out, under the writer's mutex, where data goes that cannot just be written in place. The guest clusters are
 * locked, so that their entries stay as they are until the target is linked.
 */
export class TargetFinder {
  readonly #parts: WriterParts;

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  /**
   * The target of `length` bytes at `offset`, as far as it is alike: at most to the end of the L2 table. Undefined when
   * the data can be written in place just so, because others gave it one.
   */
  async find(offset: number, length: number): Promise<WriteTarget | undefined> {
    const { geometry, tables, data, guestClusters, makeRoom } = this.#parts;
    const { clusterSize, tableCovers } = geometry;
    await makeRoom();
    const index = Math.floor(offset / tableCovers);
    let table = await tables.existing(index);
    const first = Math.floor((offset - index * tableCovers) / clusterSize);
    const inCluster = offset % clusterSize;
    const alike = this.#alike(table, first, Math.ceil((inCluster + length) / clusterSize));
    if (alike.placed) {
      const hasData = this.#hasDataAt(table, first, inCluster);
      if (hasData && data.unit === 1) return undefined;
      guestClusters.check(alike.host, alike.count * clusterSize, hasData);
    }
    // The table comes to lie ahead of the data, as QEMU's do, and not between what is written one after the other.
    if (!alike.placed) table = await tables.forWriting(index);
    const taken = alike.placed
      ? { ...alike, fresh: false }
      : await guestClusters.take(offset - inCluster, alike.count);
    const taking = Math.min(length, taken.count * clusterSize - inCluster);
    return {
      host: taken.host,
      count: taken.count,
      // Only where nothing is encrypted does a cluster that was never written read zeros.
      fresh: taken.fresh && data.unit === 1,
      placed: alike.placed,
      length: taking,
      around: rangesAround({
        geometry,
        unit: data.unit,
        placed: alike.placed,
        first: this.#entry(table, first),
        last: this.#entry(table, first + Math.ceil((inCluster + taking) / clusterSize) - 1),
        offset,
        length: taking,
      }),
      links: !alike.placed || !this.#allHaveData(table, first, offset, taking),
    };
  }

  #alike(table: L2Table | undefined, first: number, most: number): AlikeEntries {
    const { clusterSize } = this.#parts.geometry;
    const entry = this.#entry(table, first);
    const { host } = entry;
    const placed = isPlaced(entry);
    let count = 1;
    while (count < most) {
      this.#entry(table, first + count, entry);
      if (isPlaced(entry) !== placed || (placed && entry.host !== host + count * clusterSize)) break;
      count += 1;
    }
    return { placed, host, count };
  }

  /** Whether the subcluster at a place in a cluster has data already. */
  #hasDataAt(table: L2Table | undefined, index: number, inCluster: number): boolean {
    const touched = subclustersBetween(this.#parts.geometry, inCluster, inCluster + 1);
    return (this.#entry(table, index).alloc & touched) !== 0;
  }

  #allHaveData(table: L2Table | undefined, first: number, offset: number, length: number): boolean {
    const { geometry } = this.#parts;
    const entry = emptyEntry();
    const { clusterSize } = geometry;
    const start = offset - (offset % clusterSize);
    for (let cluster = start; cluster < offset + length; cluster += clusterSize) {
      const touched = subclustersOf(geometry, cluster, offset, offset + length);
      this.#entry(table, first + (cluster - start) / clusterSize, entry);
      if ((entry.alloc & touched) >>> 0 !== touched) return false;
    }
    return true;
  }

  #entry(table: L2Table | undefined, index: number, into: ClusterEntry = emptyEntry()): ClusterEntry {
    if (table) this.#parts.map.readEntry(table, index, into);
    return into;
  }
}

/** Whether data goes to the cluster that an entry names. */
function isPlaced(entry: ClusterEntry): boolean {
  return entry.owned === 'cluster' && entry.copied;
}
