import { checkRange, type Extent, extentsOf, type RawDisk, type WritableDisk } from '../../../disk/index.ts';

const SECTOR = 512;

/**
 * A file as QEMU reads it: in whole sectors, the last one filled up with zeros. A file of whole sectors is taken as it is.
 */
export function sectorDisk(raw: RawDisk): WritableDisk {
  return raw.size % SECTOR === 0 ? raw : new RoundedDisk(raw);
}

class RoundedDisk implements WritableDisk {
  readonly #raw: RawDisk;

  constructor(raw: RawDisk) {
    this.#raw = raw;
  }

  get size(): number {
    return Math.ceil(this.#raw.size / SECTOR) * SECTOR;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, into.length);
    const there = Math.max(0, Math.min(into.length, this.#raw.size - offset));
    into.fill(0, there);
    if (there > 0) await this.#raw.read(into.subarray(0, there), offset);
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    checkRange(this, offset, length);
    const end = Math.min(offset + length, this.#raw.size);
    if (end > offset) yield* extentsOf(this.#raw, offset, end - offset);
    const from = Math.max(offset, this.#raw.size);
    if (from < offset + length)
      yield { offset: from, length: offset + length - from, kind: 'zero', depth: 0 };
  }

  /** A write into the last sector makes the file that much longer. */
  async write(from: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, from.length);
    if (offset + from.length > this.#raw.size) await this.#raw.resize(this.size);
    await this.#raw.write(from, offset);
  }

  flush(): Promise<void> {
    return this.#raw.flush();
  }

  async resize(size: number): Promise<void> {
    await this.#raw.resize(size);
  }

  close(): Promise<void> {
    return this.#raw.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
