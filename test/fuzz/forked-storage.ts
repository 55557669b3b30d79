import type { ImageStorage } from '../../src/qcow2/image-storage.ts';

const PAGE = 4096;

/** A file in memory that lies over bytes which it never changes: what is written to it costs what is written. */
export class ForkedStorage implements ImageStorage {
  readonly path: string;
  readonly writable = true;
  readonly #base: Uint8Array;
  readonly #pages = new Map<number, Uint8Array>();
  #size: number;

  constructor(path: string, base: Uint8Array) {
    this.path = path;
    this.#base = base;
    this.#size = base.length;
  }

  stat(): { readonly size: number } {
    return { size: this.#size };
  }

  readSync(into: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(into.length, this.#size - offset));
    for (let at = 0; at < length; ) {
      const page = Math.floor((offset + at) / PAGE);
      const start = (offset + at) % PAGE;
      const part = Math.min(PAGE - start, length - at);
      const bytes = this.#pages.get(page) ?? this.#base.subarray(page * PAGE, (page + 1) * PAGE);
      const there = bytes.subarray(start, start + part);
      into.set(there, at);
      into.fill(0, at + there.length, at + part);
      at += part;
    }
    return length;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    return this.readSync(into, offset);
  }

  async write(from: Uint8Array, offset: number): Promise<void> {
    for (let at = 0; at < from.length; ) {
      const start = (offset + at) % PAGE;
      const part = Math.min(PAGE - start, from.length - at);
      this.#page(Math.floor((offset + at) / PAGE)).set(from.subarray(at, at + part), start);
      at += part;
    }
    this.#size = Math.max(this.#size, offset + from.length);
  }

  async datasync(): Promise<void> {}

  punchHole(offset: number, length: number): boolean {
    const end = Math.min(offset + length, this.#size);
    for (let at = offset; at < end; ) {
      const start = at % PAGE;
      const part = Math.min(PAGE - start, end - at);
      this.#page(Math.floor(at / PAGE)).fill(0, start, start + part);
      at += part;
    }
    return true;
  }

  async close(): Promise<void> {}

  #page(page: number): Uint8Array {
    const known = this.#pages.get(page);
    if (known) return known;
    const bytes = new Uint8Array(PAGE);
    bytes.set(this.#base.subarray(page * PAGE, (page + 1) * PAGE));
    this.#pages.set(page, bytes);
    return bytes;
  }
}
