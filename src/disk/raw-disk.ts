import { CalveError } from '../errors/index.ts';
import type { HostFile, ImageLock } from '../host/index.ts';
import { checkRange } from './check-range.ts';
import type { Extent, WritableDisk, ZeroOptions } from './disk.ts';
import type { LatencyWatch } from './latency-watch.ts';

/** The longest read that is tried synchronously: past it, copying the bytes outweighs the thread pool's cost. */
const QUICK = 128 * 1024;

const ZEROS = new Uint8Array(256 * 1024);

/** A file whose bytes are the disk's bytes. Made by `openRawDisk`. */
export class RawDisk implements WritableDisk {
  readonly file: HostFile;
  readonly #lock: ImageLock | undefined;
  readonly #watch: LatencyWatch;
  #size: number;
  #written = false;

  constructor(file: HostFile, watch: LatencyWatch, lock?: ImageLock) {
    this.file = file;
    this.#watch = watch;
    this.#lock = lock;
    this.#size = file.stat().size;
  }

  /** The file's length when it was opened, or what `resize` made of it. */
  get size(): number {
    return this.#size;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, into.length);
    this.#checkWhole(await this.file.read(into, offset), into, offset);
  }

  tryRead(into: Uint8Array, offset: number): boolean {
    checkRange(this, offset, into.length);
    if (into.length > QUICK) return false;
    if (!this.#watch.allows()) return this.file.readCached(into, offset);
    const count = this.#watch.time(() => this.file.readSync(into, offset));
    this.#checkWhole(count, into, offset);
    return true;
  }

  /** Data as the file system stores it; holes are `zero`. */
  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    checkRange(this, offset, length);
    for (const extent of this.file.extents(offset, length)) {
      yield { ...extent, kind: extent.kind === 'hole' ? 'zero' : 'data', depth: 0 };
    }
  }

  async write(from: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, from.length);
    this.#written = true;
    await this.file.write(from, offset);
  }

  async flush(): Promise<void> {
    await this.file.datasync();
  }

  /** Punches a hole where space may be given back and the file system can, and writes zeros otherwise. */
  async writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    checkRange(this, offset, length);
    this.#written = true;
    if (options.unmap !== false && this.file.punchHole(offset, length)) return;
    const end = offset + length;
    for (let at = offset; at < end; at += ZEROS.length) {
      await this.file.write(ZEROS.subarray(0, Math.min(ZEROS.length, end - at)), at);
    }
  }

  /** Punches a hole where the file system can, and does nothing otherwise. */
  async discard(offset: number, length: number): Promise<void> {
    checkRange(this, offset, length);
    this.#written = true;
    this.file.punchHole(offset, length);
  }

  async resize(size: number): Promise<void> {
    checkRange({ size: Number.MAX_SAFE_INTEGER }, size, 0);
    this.#written = true;
    await this.file.truncate(size);
    this.#size = size;
  }

  async close(): Promise<void> {
    if (this.file.closed) return this.file.close();
    try {
      if (this.#written) await this.file.datasync();
    } finally {
      this.#lock?.release();
      await this.file.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkWhole(count: number, into: Uint8Array, offset: number): void {
    if (count === into.length) return;
    const range = `${into.length} bytes at ${offset}`;
    throw new CalveError(
      'io',
      `expected ${range} in ${this.file.path}, got ${count}: it was cut short meanwhile`,
    );
  }
}
