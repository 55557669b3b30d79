import { ENTRY_SIZE } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { entryHigh, entryLow, entryOffset, isCopied } from '../table-entry.ts';

/** Entries written together: a disk writes no less than a sector of 512 bytes at once. */
const SECTOR_ENTRIES = 64;

/** The active L1 table, whole in memory. What is set is written by `write`, and counts in memory at once. */
export class L1Table {
  #offset: number;
  #bytes: Uint8Array;
  #view: DataView;
  readonly #dirtySectors = new Set<number>();

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#offset = offset;
  }

  /** Entries. */
  get length(): number {
    return this.#bytes.length / ENTRY_SIZE;
  }

  /** Where the table lies in the file. */
  get offset(): number {
    return this.#offset;
  }

  /** The table as it counts in memory: a copy. */
  encoded(): Uint8Array {
    return this.#bytes.slice();
  }

  /**
   * Another table takes this one's place, in memory: the file holds it at `offset`, and the header says so or is about
   * to. Nothing may be dirty; who has L2 tables of the old one in memory forgets them.
   */
  replace(bytes: Uint8Array, offset: number): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#offset = offset;
  }

  /** Host offset of the L2 table that the entry names; 0 if there is none, and past the end of the table. */
  tableOffset(index: number): number {
    const at = index * ENTRY_SIZE;
    // Whoever walks through the disk may have begun before it was made smaller.
    if (at >= this.#bytes.length) return 0;
    return entryOffset(this.#view.getUint32(at), this.#view.getUint32(at + 4));
  }

  /** Whether the L2 table is nobody else's. */
  isCopied(index: number): boolean {
    return isCopied(this.#view.getUint32(index * ENTRY_SIZE));
  }

  /** Names an L2 table, which is nobody else's unless it is said not to be. */
  set(index: number, tableOffset: number, copied = true): void {
    this.#put(index, entryHigh(tableOffset, copied), entryLow(tableOffset));
  }

  /** Names no L2 table. */
  clear(index: number): void {
    this.#put(index, 0, 0);
  }

  get dirty(): boolean {
    return this.#dirtySectors.size > 0;
  }

  /** Writes the entries that were set since the last time. */
  async write(file: ImageFile): Promise<void> {
    const sectorBytes = SECTOR_ENTRIES * ENTRY_SIZE;
    for (const sector of [...this.#dirtySectors]) {
      const at = sector * sectorBytes;
      await file.write(this.#bytes.subarray(at, at + sectorBytes), this.#offset + at);
      this.#dirtySectors.delete(sector);
    }
  }

  #put(index: number, high: number, low: number): void {
    const at = index * ENTRY_SIZE;
    this.#view.setUint32(at, high);
    this.#view.setUint32(at + 4, low);
    this.#dirtySectors.add(Math.floor(index / SECTOR_ENTRIES));
  }
}

/** @throws CalveError `corrupt` when the file ends before the table does; `io` */
export async function readL1Table(file: ImageFile, header: Qcow2Header): Promise<L1Table> {
  const length = header.l1Size * ENTRY_SIZE;
  const bytes =
    length === 0 ? new Uint8Array() : await file.readStructure('the L1 table', header.l1Offset, length);
  return new L1Table(bytes, header.l1Offset);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
