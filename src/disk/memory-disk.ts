import { CalveError } from '../errors/index.ts';
import { checkRange } from './check-range.ts';
import type { Extent, WritableDisk } from './disk.ts';

const PAGE = 64 * 1024;
/** A page that was zeroed; one that is not there was never written. */
const ZERO = 'zero';

/** A disk in memory, which holds the pages of 64 KiB that were written. */
export class MemoryDisk implements WritableDisk {
  #size: number;
  #closed = false;
  readonly #pages = new Map<number, Uint8Array | typeof ZERO>();

  /** @param size bytes; all read zeros */
  constructor(size: number) {
    checkRange({ size: Number.MAX_SAFE_INTEGER }, 0, size);
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    this.tryRead(into, offset);
  }

  /** Always true. */
  tryRead(into: Uint8Array, offset: number): boolean {
    this.#check(offset, into.length);
    for (const { page, start, end, at } of pieces(offset, into.length)) {
      const bytes = this.#pages.get(page);
      if (bytes === undefined || bytes === ZERO) into.fill(0, at, at + end - start);
      else into.set(bytes.subarray(start, end), at);
    }
    return true;
  }

  /** Pages that were written are `data`, that were zeroed `zero`, and the others `unallocated`. */
  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    this.#check(offset, length);
    for (const { page, start, end, at } of pieces(offset, length)) {
      const bytes = this.#pages.get(page);
      const kind = bytes === undefined ? 'unallocated' : bytes === ZERO ? 'zero' : 'data';
      yield { offset: offset + at, length: end - start, kind, depth: 0 };
    }
  }

  async write(from: Uint8Array, offset: number): Promise<void> {
    this.#check(offset, from.length);
    for (const { page, start, end, at } of pieces(offset, from.length)) {
      let bytes = this.#pages.get(page);
      if (bytes === undefined || bytes === ZERO) {
        bytes = new Uint8Array(PAGE);
        this.#pages.set(page, bytes);
      }
      bytes.set(from.subarray(at, at + end - start), start);
    }
  }

  async flush(): Promise<void> {
    this.#check(0, 0);
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    this.#clear(offset, length, (page) => this.#pages.set(page, ZERO));
  }

  /** Reads zeros afterwards; whole pages are forgotten. */
  async discard(offset: number, length: number): Promise<void> {
    this.#clear(offset, length, (page) => this.#pages.delete(page));
  }

  async resize(size: number): Promise<void> {
    this.#check(0, 0);
    checkRange({ size: Number.MAX_SAFE_INTEGER }, 0, size);
    if (size < this.#size) {
      this.#clear(size, this.#size - size, (page) => this.#pages.delete(page));
    }
    this.#size = size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#pages.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #clear(offset: number, length: number, clearPage: (page: number) => void): void {
    this.#check(offset, length);
    for (const { page, start, end, at } of pieces(offset, length)) {
      const toDiskEnd = offset + at + end - start === this.#size;
      if (start === 0 && (end === PAGE || toDiskEnd)) clearPage(page);
      else {
        const bytes = this.#pages.get(page);
        if (bytes instanceof Uint8Array) bytes.fill(0, start, end);
      }
    }
  }

  #check(offset: number, length: number): void {
    if (this.#closed) throw new CalveError('closed', 'the disk was closed before');
    checkRange(this, offset, length);
  }
}

/** A range page by page: bytes `start` to `end` of `page` are those from `at` on, counted from the range's start. */
function* pieces(offset: number, length: number) {
  for (let at = 0; at < length; ) {
    const start = (offset + at) % PAGE;
    const end = Math.min(PAGE, start + length - at);
    yield { page: Math.floor((offset + at) / PAGE), start, end, at };
    at += end - start;
  }
}
