import { DirtyRange } from '../dirty-range.ts';
import { readRefcount, writeRefcount } from '../refcount-entry.ts';

/** One refcount block in memory: the bytes as they are on disk, and which of them are not there yet. */
export class RefcountBlock {
  /** Its place in the refcount table. */
  readonly index: number;
  /** Where it lies in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly dirty: DirtyRange = new DirtyRange();
  readonly #bits: number;
  readonly #view: DataView;

  /** @param bits the width of a refcount */
  constructor(index: number, offset: number, bytes: Uint8Array, bits: number) {
    this.index = index;
    this.offset = offset;
    this.bytes = bytes;
    this.#bits = bits;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get(entry: number): number {
    return readRefcount(this.#view, entry, this.#bits);
  }

  set(entry: number, count: number): void {
    writeRefcount(this.#view, entry, this.#bits, count);
    const at = Math.floor((entry * this.#bits) / 8);
    this.dirty.add(at, at + Math.ceil(this.#bits / 8));
  }
}
