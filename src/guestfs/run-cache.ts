import type { Disk } from '../disk/index.ts';

/** A disk read in runs of one length, of which those asked for last are kept. */
export class RunCache {
  readonly #disk: Disk;
  readonly #runBytes: number;
  readonly #mostRuns: number;
  /** By their number, those asked for least recently first. */
  readonly #runs = new Map<number, Buffer>();

  /**
   * @param disk stays open
   * @param options.bytes the most that are kept
   */
  constructor(disk: Disk, options: { readonly runBytes: number; readonly bytes: number }) {
    this.#disk = disk;
    this.#runBytes = options.runBytes;
    this.#mostRuns = Math.floor(options.bytes / options.runBytes);
  }

  /** Bytes that lie within one run; they must not be changed. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    const run = Math.floor(offset / this.#runBytes);
    const kept = this.#runs.get(run) ?? (await this.#read(run));
    this.#runs.delete(run);
    this.#runs.set(run, kept);
    const start = offset % this.#runBytes;
    return kept.subarray(start, start + length);
  }

  clear(): void {
    this.#runs.clear();
  }

  async #read(run: number): Promise<Buffer> {
    const offset = run * this.#runBytes;
    const bytes = Buffer.allocUnsafe(Math.min(this.#runBytes, this.#disk.size - offset));
    if (this.#disk.tryRead?.(bytes, offset) !== true) await this.#disk.read(bytes, offset);
    const [oldest] = this.#runs.keys();
    if (oldest !== undefined && this.#runs.size >= this.#mostRuns) this.#runs.delete(oldest);
    return bytes;
  }
}
