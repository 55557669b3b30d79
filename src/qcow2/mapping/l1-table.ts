import { ENTRY_SIZE } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { entryHigh, entryLow, entryOffset, isCopied } from '../table-entry.ts';

/** Entries written together: a disk writes no less than a sector of 512 bytes at once. */
const SECTOR_ENTRIES = 64;

/** The active L1 table, whole in memory. What is set is written by `write`, and counts in memory at once. */
export class L1Table {
  readonly length: number;
  readonly offset: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #dirtySectors = new Set<number>();

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.length / ENTRY_SIZE;
    this.offset = offset;
  }

  /** Host offset of the L2 table that the entry names; 0 if there is none. */
  tableOffset(index: number): number {
    const at = index * ENTRY_SIZE;
    return entryOffset(this.#view.getUint32(at), this.#view.getUint32(at + 4));
  }

  /** Whether the L2 table is nobody else's. */
  isCopied(index: number): boolean {
    return isCopied(this.#view.getUint32(index * ENTRY_SIZE));
  }

  /** Names an L2 table, which is nobody else's. */
  set(index: number, tableOffset: number): void {
    const at = index * ENTRY_SIZE;
    this.#view.setUint32(at, entryHigh(tableOffset, true));
    this.#view.setUint32(at + 4, entryLow(tableOffset));
    this.#dirtySectors.add(Math.floor(index / SECTOR_ENTRIES));
  }

  get dirty(): boolean {
    return this.#dirtySectors.size > 0;
  }

  /** Writes the entries that were set since the last time. */
  async write(file: ImageFile): Promise<void> {
    const sectorBytes = SECTOR_ENTRIES * ENTRY_SIZE;
    for (const sector of [...this.#dirtySectors]) {
      const at = sector * sectorBytes;
      await file.write(this.#bytes.subarray(at, at + sectorBytes), this.offset + at);
      this.#dirtySectors.delete(sector);
    }
  }
}

/** @throws CalveError `corrupt` when the file ends before the table does; `io` */
export async function readL1Table(file: ImageFile, header: Qcow2Header): Promise<L1Table> {
  const length = header.l1Size * ENTRY_SIZE;
  const bytes =
    length === 0 ? new Uint8Array() : await file.readStructure('the L1 table', header.l1Offset, length);
  return new L1Table(bytes, header.l1Offset);
}
