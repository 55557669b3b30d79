import { ENTRY_SIZE } from '../constants.ts';
import { DirtyRange } from '../dirty-range.ts';

/** One L2 table in memory: the bytes as they are on disk, and which of them are not there yet. */
export class L2Table {
  /** Its place in the L1 table. */
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly dirty: DirtyRange = new DirtyRange();
  readonly #entryBytes: number;
  /** Where it lies in the file, or will. */
  offset: number;

  /** @param entryBytes 8, or 16 of extended entries, whose second half is their subclusters' */
  constructor(index: number, offset: number, bytes: Uint8Array, entryBytes: number) {
    this.index = index;
    this.offset = offset;
    this.bytes = bytes;
    this.#entryBytes = entryBytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  high(entry: number): number {
    return this.view.getUint32(entry * this.#entryBytes);
  }

  low(entry: number): number {
    return this.view.getUint32(entry * this.#entryBytes + 4);
  }

  /** The second half of an extended entry, which lies in the same sector as the first: a crash has both or neither. */
  setBits(entry: number, zeroBits: number, allocBits: number): void {
    const at = entry * this.#entryBytes + ENTRY_SIZE;
    this.view.setUint32(at, zeroBits);
    this.view.setUint32(at + 4, allocBits);
    this.dirty.add(at, at + 8);
  }

  set(entry: number, high: number, low: number): void {
    const at = entry * this.#entryBytes;
    this.view.setUint32(at, high);
    this.view.setUint32(at + 4, low);
    this.dirty.add(at, at + 8);
  }

  /** Moves the table to a cluster that holds none of it yet. */
  moveTo(offset: number): void {
    this.offset = offset;
    this.dirty.add(0, this.bytes.length);
  }
}
