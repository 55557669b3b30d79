import { type ClusterEntry, emptyEntry, subclustersOf, writeEntry } from '../mapping/cluster-entry.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import type { GuestRange } from './ranges-around.ts';
import type { WriterParts } from './writer-parts.ts';
import { type ZeroChange, type ZeroRequest, type ZeroStorage, zeroChange, zeroEntry } from './zero-change.ts';

/** An L2 entry that has to change: its place in the table, and the guest bytes of it that are to read zeros. */
interface EntryToZero extends GuestRange {
  readonly change: ZeroChange;
  readonly at: number;
  readonly entry: ClusterEntry;
  readonly subclusters: number;
}

/** Zeros written as data, a piece at a time. */
const ZEROS = new Uint8Array(1024 * 1024);

/**
 * Makes ranges read zeros: whole subclusters by their L2 entries, the rest by writing zeros as data. Version 2 has no
 * zero flag; over a backing file nothing but data hides what the backing file holds (traps 14 and 21).
 */
export class ClusterZeroer {
  readonly #parts: WriterParts;
  readonly #write: (from: Uint8Array, offset: number) => Promise<void>;

  /** @param write writes guest data */
  constructor(parts: WriterParts, write: (from: Uint8Array, offset: number) => Promise<void>) {
    this.#parts = parts;
    this.#write = write;
  }

  /** As WritableDisk.writeZeroes; the range was checked. */
  async writeZeroes(offset: number, length: number, storage: ZeroStorage): Promise<void> {
    const end = offset + length;
    if (this.#parts.rawDataFile) return this.#zeroRawFile(offset, end, storage);
    const whole = this.#wholeParts(offset, end, this.#parts.geometry.subclusterSize);
    if (!whole || !this.#canMark(storage)) return this.#writeData(offset, end);
    await this.#writeData(offset, whole.from);
    await this.#markZero(whole, storage);
    await this.#writeData(Math.min(whole.to, end), end);
  }

  /** As WritableDisk.discard; the range was checked. Over a backing file, version 2 keeps its data. */
  async discard(offset: number, length: number): Promise<void> {
    const { rawDataFile, geometry } = this.#parts;
    const whole = this.#wholeParts(offset, offset + length, geometry.clusterSize);
    if (!whole) return;
    if (rawDataFile) return this.#zeroRawFile(whole.from, Math.min(whole.to, geometry.size), 'punched');
    if (this.#canMark('punched')) await this.#markZero(whole, 'punched');
  }

  /** The whole parts of a range; the disk's last cluster counts as whole when the range reaches the disk's end. */
  #wholeParts(offset: number, end: number, partSize: number): GuestRange | undefined {
    const { clusterSize, size } = this.#parts.geometry;
    const from = Math.ceil(offset / partSize) * partSize;
    const to =
      end === size ? Math.ceil(end / clusterSize) * clusterSize : Math.floor(end / partSize) * partSize;
    return from < to ? { from, to } : undefined;
  }

  /** Whether an L2 entry can say that its cluster reads zeros; in version 2 by saying nothing, over no backing file. */
  #canMark(storage: ZeroStorage): boolean {
    return this.#parts.geometry.version >= 3 || (storage === 'punched' && !this.#parts.namesBacking);
  }

  async #writeData(from: number, to: number): Promise<void> {
    for (let at = from; at < to; ) {
      const length = Math.min(ZEROS.length, to - at);
      const zero = await this.#parts.reader.readsZeros(at, length);
      if (!zero) await this.#write(ZEROS.subarray(0, length), at);
      at += length;
    }
  }

  /**
   * Who reads a raw data file alone sees no L2 entry: it gets the zeros, and the entries stay, so that both say the same
   * in whatever order requests come (trap 22).
   */
  async #zeroRawFile(from: number, to: number, storage: ZeroStorage): Promise<void> {
    const { rawDataFile, data } = this.#parts;
    // Zeros in an encrypted file are no zeros to the guest.
    const punches = storage === 'punched' && data.unit === 1;
    if (punches && rawDataFile?.punchHole(from, to - from)) return;
    await this.#writeData(from, to);
  }

  async #markZero({ from, to }: GuestRange, storage: ZeroStorage): Promise<void> {
    const { clusterSize, tableCovers } = this.#parts.geometry;
    const { locks, mutex } = this.#parts;
    for (let at = from; at < to; ) {
      const end = Math.min(to, (Math.floor(at / tableCovers) + 1) * tableCovers);
      const range = { from: at, to: end };
      const unmarked = await locks.run(Math.floor(at / clusterSize), Math.ceil(end / clusterSize), () =>
        mutex.run(() => this.#markInTable(range, storage)),
      );
      for (const left of unmarked)
        await this.#writeData(left.from, Math.min(left.to, this.#parts.geometry.size));
      at = end;
    }
  }

  /** Marks what one L2 table maps; returns what its entries cannot say: that a part of a compressed cluster is zeros. */
  async #markInTable(range: GuestRange, storage: ZeroStorage): Promise<GuestRange[]> {
    const { geometry, tables, namesBacking, guestClusters, makeRoom } = this.#parts;
    await makeRoom();
    const request = { geometry, storage, namesBacking };
    const index = Math.floor(range.from / geometry.tableCovers);
    const existing = await tables.existing(index);
    if (!existing && !namesBacking) return [];
    const unmarked: GuestRange[] = [];
    let changes = !existing;
    if (existing) {
      for (const { change, from, to } of this.#entries(existing, range, request)) {
        if (change === 'data') unmarked.push({ from, to });
        else changes = true;
      }
    }
    // A table is not made or copied when nothing in it changes.
    if (!changes) return unmarked;
    const table = await tables.forWriting(index);
    for (const { change, at, entry, subclusters } of this.#entries(table, range, request)) {
      if (change === 'data') continue;
      if (change === 'release') guestClusters.release(table, at, storage);
      zeroEntry(entry, subclusters, change, request);
      writeEntry(table, at, geometry, entry);
    }
    tables.markDirty(table);
    return unmarked;
  }

  /** The entries of a table that a range touches and that are not yet as they should be; `entry` is one scratch. */
  *#entries(table: L2Table, range: GuestRange, request: ZeroRequest): Generator<EntryToZero> {
    const { geometry, map } = this.#parts;
    const { clusterSize, tableCovers } = geometry;
    const entry = emptyEntry();
    let at = Math.floor((range.from % tableCovers) / clusterSize);
    for (let from = range.from; from < range.to; at += 1) {
      const cluster = from - (from % clusterSize);
      const to = Math.min(range.to, cluster + clusterSize);
      const subclusters = subclustersOf(geometry, cluster, from, to);
      map.readEntry(table, at, entry);
      const change = zeroChange(entry, subclusters, request);
      if (change !== 'none') yield { change, at, entry, subclusters, from, to };
      from = to;
    }
  }
}
