import { createHash } from 'node:crypto';
import { CalveError } from '../../errors/index.ts';
import type { HostFile } from '../../host/index.ts';

/** Bytes that are gathered from small writes. */
const GATHERED = 2 ** 18;

/** Writes a file from its beginning to its end, and takes the sha256 of what it writes. */
export class DigestWriter {
  readonly #file: HostFile;
  readonly #hash = createHash('sha256');
  readonly #gathered = new Uint8Array(GATHERED);
  #waiting = 0;
  #written = 0;

  constructor(file: HostFile) {
    this.#file = file;
  }

  /** Where the next bytes go. */
  get offset(): number {
    return this.#written + this.#waiting;
  }

  /** Writes `bytes`, which are free again when this resolves. Calls must not overlap. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#waiting + bytes.length > GATHERED) await this.#writeGathered();
    if (bytes.length > GATHERED) return this.#writeNow(bytes);
    this.#gathered.set(bytes, this.#waiting);
    this.#waiting += bytes.length;
  }

  /** Writes zeros up to `offset`, which lies at or past this one. */
  async padTo(offset: number): Promise<void> {
    if (offset < this.offset)
      throw new CalveError('corrupt', `expected ${offset} bytes so far, got ${this.offset}`);
    while (this.offset < offset) await this.write(new Uint8Array(Math.min(offset - this.offset, GATHERED)));
  }

  /** Makes all that was written durable and returns its digest, `sha256:` and hex. Nothing is written after it. */
  async finish(): Promise<string> {
    await this.#writeGathered();
    await this.#file.sync();
    return `sha256:${this.#hash.digest('hex')}`;
  }

  async #writeGathered(): Promise<void> {
    await this.#writeNow(this.#gathered.subarray(0, this.#waiting));
    this.#waiting = 0;
  }

  async #writeNow(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    // The thread pool writes while this thread hashes.
    const writing = this.#file.write(bytes, this.#written);
    this.#hash.update(bytes);
    await writing;
    this.#written += bytes.length;
  }
}
