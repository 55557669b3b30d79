import { isTimeForOthers, letOthersRun } from '../check/take-turns.ts';
import type { SectorCipher } from '../encryption/index.ts';
import { type GuestData, guestData } from '../mapping/guest-data.ts';
import { L2Table } from '../mapping/l2-table.ts';
import { clusterKind, entryHigh, entryLow, entryOffset, ZERO } from '../table-entry.ts';
import { commitMetadata } from '../writing/metadata-commit.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { type Bookkeeping, holdsMuch } from './bookkeeping.ts';

/** An L2 table of the active disk or of snapshots, or of both. */
export interface ExpandedTable {
  readonly offset: number;
  /** How many L1 entries lead to it, as counted. */
  readonly times: number;
  /** Whether the active L1 table leads to it. */
  readonly active: boolean;
  /** The first guest byte that it maps. */
  readonly guestOffset: number;
}

/** References to a cluster that a table held until it is written. */
interface Left {
  readonly offset: number;
  readonly times: number;
}

/** Changed tables in memory, at most, in bytes. */
const MOST_TABLES = 4 * 1024 ** 2;
/** Zeros written as data, a piece at a time. */
const ZEROS = new Uint8Array(1024 * 1024);
const SECTOR = new Uint8Array(512);
const LEFT = { flagged: true, punch: true };

/**
 * Takes the zero flags out of L2 tables, for version 2 (trap 14), and leaves what is read as it is: a cluster that owns
 * nothing becomes unallocated where the image names no backing file, and where it does gets a host cluster of zeros; a
 * host cluster that is owned is filled with zeros.
 *
 * Tables are changed in place, also those that snapshots share: what an entry reads stays the same for all of them, and
 * a new cluster is counted once for each. Refcounts and zeros are durable before a table that needs them is written.
 *
 * Where QEMU differs: a host cluster that another table shows as data, because a snapshot was taken before it was
 * zeroed, is not written to. (QEMU 7.2 writes zeros into the snapshot.)
 */
export class ZeroExpander {
  readonly #image: Bookkeeping;
  readonly #data: GuestData;
  readonly #backed: boolean;
  readonly #tables: L2Table[] = [];

  /** @param cipher of the guest's data; undefined where it is not encrypted, or no data needs to be written */
  constructor(image: Bookkeeping, cipher: SectorCipher | undefined) {
    const { file, header } = image.metadata;
    this.#image = image;
    this.#data = guestData(file, cipher);
    this.#backed = header.current.backingFile !== undefined;
  }

  /** Takes the flags out of a table, in memory or also on disk. */
  async expand(expanded: ExpandedTable): Promise<void> {
    const { geometry, metadata } = this.#image;
    const { clusterSize, entryBytes, tableEntries } = geometry;
    if (isTimeForOthers()) await letOthersRun();
    const bytes = await metadata.file.readStructure('an L2 table', expanded.offset, clusterSize);
    const table = new L2Table(0, expanded.offset, bytes, entryBytes);
    const left: Left[] = [];
    const bare: number[] = [];
    let changed = false;
    for (let entry = 0; entry < tableEntries; entry += 1) {
      const kind = clusterKind(table.high(entry), table.low(entry));
      if (kind !== 'zero' && kind !== 'zero-allocated') continue;
      changed = true;
      if (kind === 'zero-allocated' && (await this.#keepCluster(table, entry, expanded, left))) continue;
      table.set(entry, 0, 0);
      if (this.#backed) bare.push(entry);
    }
    if (!changed) return;
    await this.#placeZeros(table, bare, expanded);
    this.#tables.push(table);
    if (left.length > 0) await this.#release(left);
    else if (this.#tables.length * clusterSize > MOST_TABLES || holdsMuch(metadata)) await this.#write();
  }

  /** When it resolves no table has a zero flag, durably. */
  async finish(): Promise<void> {
    await this.#write();
    await settleMetadata(this.#image.metadata);
  }

  /** Makes an entry show its own host cluster, filled with zeros; false where others refer to that as well. */
  async #keepCluster(table: L2Table, entry: number, expanded: ExpandedTable, left: Left[]): Promise<boolean> {
    const { geometry, metadata } = this.#image;
    const { clusterSize } = geometry;
    const { times, active, guestOffset } = expanded;
    const high = table.high(entry);
    const low = table.low(entry);
    const host = entryOffset(high, low);
    const count = await metadata.refcounts.count(host / clusterSize);
    if (count === times) {
      await this.#fill(host, clusterSize, guestOffset + entry * clusterSize);
      table.set(entry, high, (low & ~ZERO) >>> 0);
      return true;
    }
    left.push({ offset: host, times: releasable(times, count, active) });
    return false;
  }

  /** Gives host clusters of zeros to entries that have none. */
  async #placeZeros(table: L2Table, entries: number[], { times, guestOffset }: ExpandedTable): Promise<void> {
    const { allocator, geometry, metadata } = this.#image;
    const { clusterSize } = geometry;
    for (let at = 0; at < entries.length; ) {
      const { first, count } = await allocator.take(entries.length - at);
      if (times !== 1) await metadata.refcounts.set(first, count, times);
      for (let cluster = first; cluster < first + count; cluster += 1) {
        const entry = entries[at] ?? 0;
        const host = cluster * clusterSize;
        await this.#fill(host, clusterSize, guestOffset + entry * clusterSize);
        table.set(entry, entryHigh(host, times === 1), entryLow(host));
        at += 1;
      }
    }
  }

  /** Makes a host cluster hold zeros of the guest, by a hole where that can be. */
  async #fill(host: number, length: number, guest: number): Promise<void> {
    const { metadata } = this.#image;
    const { file } = metadata;
    metadata.clusters.checkData(host, length);
    const inFile = Math.max(0, Math.min(length, file.end - host));
    if (this.#data.unit > 1 || (inFile > 0 && !file.punchHole(host, inFile))) {
      for (let at = 0; at < length; at += ZEROS.length) {
        await this.#data.write(ZEROS.subarray(0, Math.min(ZEROS.length, length - at)), host + at, guest + at);
      }
    } else if (inFile < length) {
      // The file gets longer by its last sector; before that it reads zeros.
      await file.write(SECTOR, host + length - SECTOR.length);
    }
  }

  /** Releases what tables held, once they hold it no more on disk. */
  async #release(left: readonly Left[]): Promise<void> {
    const { metadata, geometry } = this.#image;
    await this.#write();
    for (const { offset, times } of left) {
      for (let time = 0; time < times; time += 1) metadata.frees.add(offset, geometry.clusterSize, LEFT);
    }
    // The barrier of the commit comes before refcounts are lowered.
    await commitMetadata(metadata);
  }

  async #write(): Promise<void> {
    const { metadata } = this.#image;
    // Refcounts, and with them the zeros that were written before, are durable then.
    await commitMetadata(metadata);
    for (const table of this.#tables.splice(0)) {
      this.#checkTable(table.offset);
      const { at, bytes } = table.dirty.partOf(table.bytes);
      await metadata.file.write(bytes, table.offset + at);
    }
  }

  /** Trap 27. Tables that only snapshots have are no metadata as far as is known there. */
  #checkTable(offset: number): void {
    const { clusters, clusterSize } = this.#image.metadata;
    const kind = clusters.kindOf(offset / clusterSize);
    if (kind !== 'L2 table' && kind !== 'shared L2 table') clusters.checkData(offset, clusterSize);
  }
}

/**
 * How many references of a table may be taken off a cluster that others refer to as well. The active table's entry
 * would need its COPIED flag at the moment when its is the last one (trap 26), which no disk writes at once: so a
 * snapshot's table leaves two, a leak at worst.
 */
function releasable(times: number, count: number, active: boolean): number {
  return active ? times : Math.min(times, Math.max(0, count - 2));
}
