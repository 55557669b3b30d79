import type { Disk, WritableDisk } from '../../disk/index.ts';
import { type FatLayout, FIRST_CLUSTER } from './boot-sector.ts';
import { corrupt } from './corrupt.ts';

/** Entries above the highest cluster (FAT specification, "FAT Data Structure"); FAT32 has 28 bits, the others are kept. */
const ENTRIES = {
  12: { bad: 0xff7, end: 0xff8, last: 0xfff },
  16: { bad: 0xfff7, end: 0xfff8, last: 0xffff },
  32: { bad: 0x0fff_fff7, end: 0x0fff_fff8, last: 0x0fff_ffff },
} as const;
const BITS_OF_FAT32 = 0x0fff_ffff;
/** Read as one. A FAT12 lies in the first one whole, so that none of its entries lies in two. */
const WINDOW = 64 * 1024;
const MOST_WINDOWS = 128;

interface Window {
  readonly bytes: Buffer;
  /** The range that was changed and not written yet; empty: none. */
  changedFrom: number;
  changedTo: number;
}

/** The file allocation table, of which a part is in memory: what was asked for last, and what was changed. */
export class FatTable {
  readonly layout: FatLayout;
  readonly #disk: Disk;
  readonly #bad: number;
  readonly #end: number;
  readonly #last: number;
  /** By their number, those asked for least recently first. */
  readonly #windows = new Map<number, Window>();

  /** @param disk the file system, whole; stays open */
  constructor(disk: Disk, layout: FatLayout) {
    this.layout = layout;
    this.#disk = disk;
    ({ bad: this.#bad, end: this.#end, last: this.#last } = ENTRIES[layout.bits]);
  }

  /**
   * The cluster that follows one; null: it is the last of its chain.
   * @param where whose chain it is, for the error
   * @throws CalveError `corrupt` where the chain goes on nowhere
   */
  async next(cluster: number, where: string): Promise<number | null> {
    return this.nextNow(cluster, where) ?? this.#checked(await this.entry(cluster), cluster, where);
  }

  /** As `next`; undefined when that needs waiting, and also at the end of a chain. */
  nextNow(cluster: number, where: string): number | undefined {
    const window = this.#windows.get(this.#windowOf(cluster));
    if (window === undefined) return undefined;
    return this.#checked(this.#decode(window, cluster), cluster, where) ?? undefined;
  }

  /** @throws CalveError `corrupt` unless there is such a cluster */
  check(cluster: number, where: string): void {
    if (cluster >= FIRST_CLUSTER && cluster < this.layout.clusters + FIRST_CLUSTER) return;
    throw corrupt(
      where,
      `expected a cluster from ${FIRST_CLUSTER} to ${this.layout.clusters + FIRST_CLUSTER - 1}, got ${cluster}`,
    );
  }

  /** What is said of a cluster: 0: it is free. */
  async entry(cluster: number): Promise<number> {
    return this.#decode(await this.#window(this.#windowOf(cluster)), cluster);
  }

  /** What is said of a cluster, where that needs no waiting. */
  entryNow(cluster: number): number | undefined {
    const window = this.#windows.get(this.#windowOf(cluster));
    return window === undefined ? undefined : this.#decode(window, cluster);
  }

  /**
   * Changes an entry in memory.
   * @param next the cluster that follows; null: it is the last; 0: it is free
   */
  async set(cluster: number, next: number | null): Promise<void> {
    if (!this.setNow(cluster, next)) this.#set(await this.#window(this.#windowOf(cluster)), cluster, next);
  }

  /** As `set`; false when that needs waiting. */
  setNow(cluster: number, next: number | null): boolean {
    const window = this.#windows.get(this.#windowOf(cluster));
    if (window === undefined) return false;
    this.#set(window, cluster, next);
    return true;
  }

  /** Writes what was changed into every FAT that is kept. */
  async sync(disk: WritableDisk): Promise<void> {
    const { fatOffset, fatSize, fats, activeFat, mirrored } = this.layout;
    for (const [number, window] of this.#windows) {
      const { bytes, changedFrom, changedTo } = window;
      if (changedFrom >= changedTo) continue;
      const piece = bytes.subarray(changedFrom, changedTo);
      for (let fat = 0; fat < fats; fat += 1) {
        if (!mirrored && fat !== activeFat) continue;
        await disk.write(piece, fatOffset + fat * fatSize + number * WINDOW + changedFrom);
      }
      window.changedFrom = WINDOW;
      window.changedTo = 0;
    }
  }

  clear(): void {
    this.#windows.clear();
  }

  #set(window: Window, cluster: number, next: number | null): void {
    const at = this.#at(cluster) % WINDOW;
    const value = next ?? this.#last;
    const { bytes } = window;
    const { bits } = this.layout;
    if (bits === 32) {
      // The upper four bits are reserved, and to be left as they are.
      const kept = bytes.readUInt32LE(at) & ~BITS_OF_FAT32;
      bytes.writeUInt32LE((kept | value) >>> 0, at);
    } else if (bits === 16) bytes.writeUInt16LE(value, at);
    else {
      const pair = bytes.readUInt16LE(at);
      bytes.writeUInt16LE(cluster % 2 === 0 ? (pair & 0xf000) | value : (pair & 0xf) | (value << 4), at);
    }
    window.changedFrom = Math.min(window.changedFrom, at);
    window.changedTo = Math.max(window.changedTo, at + Math.ceil(bits / 8));
  }

  #checked(entry: number, cluster: number, where: string): number | null {
    if (entry >= this.#end) return null;
    if (entry >= FIRST_CLUSTER && entry < this.layout.clusters + FIRST_CLUSTER) return entry;
    const what =
      entry === 0
        ? 'which is free'
        : entry === this.#bad
          ? 'which is marked as bad'
          : `which is followed by ${entry}, expected ${FIRST_CLUSTER} to ${this.layout.clusters + FIRST_CLUSTER - 1}`;
    throw corrupt(where, `its chain leads to cluster ${cluster}, ${what}`);
  }

  #decode({ bytes }: Window, cluster: number): number {
    const at = this.#at(cluster) % WINDOW;
    if (this.layout.bits === 32) return bytes.readUInt32LE(at) & BITS_OF_FAT32;
    const pair = bytes.readUInt16LE(at);
    if (this.layout.bits === 16) return pair;
    return cluster % 2 === 0 ? pair & 0xfff : pair >>> 4;
  }

  /** Where an entry begins, in bytes from the start of the FAT. */
  #at(cluster: number): number {
    return this.layout.bits === 12 ? Math.floor(cluster * 1.5) : cluster * (this.layout.bits / 8);
  }

  #windowOf(cluster: number): number {
    return Math.floor(this.#at(cluster) / WINDOW);
  }

  async #window(number: number): Promise<Window> {
    const kept = this.#windows.get(number);
    if (kept !== undefined) {
      this.#windows.delete(number);
      this.#windows.set(number, kept);
      return kept;
    }
    const { fatOffset, fatSize, activeFat } = this.layout;
    const bytes = Buffer.allocUnsafe(Math.min(WINDOW, fatSize - number * WINDOW));
    const offset = fatOffset + activeFat * fatSize + number * WINDOW;
    if (this.#disk.tryRead?.(bytes, offset) !== true) await this.#disk.read(bytes, offset);
    const window = { bytes, changedFrom: WINDOW, changedTo: 0 };
    this.#forgetOne();
    this.#windows.set(number, window);
    return window;
  }

  /** What was changed stays until it is written. */
  #forgetOne(): void {
    if (this.#windows.size < MOST_WINDOWS) return;
    for (const [number, { changedFrom, changedTo }] of this.#windows) {
      if (changedFrom < changedTo) continue;
      this.#windows.delete(number);
      return;
    }
  }
}
