import { clusterKind, isCopied, ZERO } from '../table-entry.ts';
import { releaseEntry } from './release-entry.ts';
import type { WriterParts } from './writer-parts.ts';

/** What becomes of the storage of clusters that read zeros from now on. */
export type ZeroStorage = 'kept' | 'punched';

/** Zeros written as data, a piece at a time. */
const ZEROS = new Uint8Array(1024 * 1024);

/**
 * Makes ranges read zeros: whole clusters by their L2 entries, the rest by writing zeros as data. Version 2 has no zero
 * flag; over a backing file nothing but data hides what the backing file holds (traps 14 and 21).
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
    const whole = this.#wholeClusters(offset, end);
    if (!whole || !this.#canMark(storage)) return this.#writeData(offset, end);
    await this.#writeData(offset, whole.from);
    await this.#markZero(whole.from, whole.to, storage);
    await this.#writeData(Math.min(whole.to, end), end);
  }

  /** As WritableDisk.discard; the range was checked. Over a backing file, version 2 keeps its data. */
  async discard(offset: number, length: number): Promise<void> {
    const whole = this.#wholeClusters(offset, offset + length);
    if (whole && this.#canMark('punched')) await this.#markZero(whole.from, whole.to, 'punched');
  }

  /** The whole clusters of a range; the disk's last counts as whole when the range reaches the disk's end. */
  #wholeClusters(offset: number, end: number): { from: number; to: number } | undefined {
    const { clusterSize, size } = this.#parts.geometry;
    const from = Math.ceil(offset / clusterSize) * clusterSize;
    const to = (end === size ? Math.ceil(end / clusterSize) : Math.floor(end / clusterSize)) * clusterSize;
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

  async #markZero(from: number, to: number, storage: ZeroStorage): Promise<void> {
    const { clusterSize, tableCovers } = this.#parts.geometry;
    const { locks, mutex } = this.#parts;
    for (let at = from; at < to; ) {
      const index = Math.floor(at / tableCovers);
      const end = Math.min(to, (index + 1) * tableCovers);
      const first = (at - index * tableCovers) / clusterSize;
      const count = (end - at) / clusterSize;
      await locks.run(at / clusterSize, end / clusterSize, () =>
        mutex.run(() => this.#markInTable(index, first, count, storage)),
      );
      at = end;
    }
  }

  async #markInTable(index: number, first: number, count: number, storage: ZeroStorage): Promise<void> {
    const { geometry, frees, tables, namesBacking, makeRoom } = this.#parts;
    await makeRoom();
    // A table is not made or copied when nothing in it changes.
    const existing = await tables.existing(index);
    if (!existing && !namesBacking) return;
    const changes = (high: number, low: number): boolean => this.#changes(high, low, storage);
    if (existing) {
      let entry = first;
      while (entry < first + count && !changes(existing.high(entry), existing.low(entry))) entry += 1;
      if (entry === first + count) return;
    }
    const table = await tables.forWriting(index);
    for (let entry = first; entry < first + count; entry += 1) {
      const high = table.high(entry);
      const low = table.low(entry);
      if (!changes(high, low)) continue;
      if (storage === 'kept' && clusterKind(high, low) === 'data' && isCopied(high)) {
        table.set(entry, high, (low | ZERO) >>> 0);
      } else {
        releaseEntry(table, entry, geometry, frees, storage);
        // Under a backing file's name an entry without the flag would show what is in that file.
        table.set(entry, 0, namesBacking ? ZERO : 0);
      }
    }
    tables.markDirty(table);
  }

  /** Whether an entry is not yet as it should be. */
  #changes(high: number, low: number, storage: ZeroStorage): boolean {
    switch (clusterKind(high, low)) {
      case 'zero':
        return false;
      case 'unallocated':
        return this.#parts.namesBacking;
      case 'zero-allocated':
        return storage === 'punched';
      default:
        return true;
    }
  }
}
