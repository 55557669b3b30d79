import type { BlobTarget } from './blob-target.ts';

/** Bytes that are written at a time: the pieces of a connection are of 16 to 64 KiB, for which a write each is too dear. */
const BATCH = 1 << 17;

/**
 * Writes pieces one after the other, many at a time: one batch is gathered while the one before it is written. The same two
 * buffers all along: fresh ones of this size cost more than copying into them.
 */
export class BatchedWriter {
  readonly #target: BlobTarget;
  #at: number;
  #gathered: Buffer;
  #spare: Buffer;
  #length = 0;
  #writing: Promise<void> = Promise.resolve();

  /** @param most bytes that will come at most */
  constructor(target: BlobTarget, offset: number, most: number) {
    const size = Math.max(1, Math.min(BATCH, most));
    this.#target = target;
    this.#at = offset;
    this.#gathered = Buffer.allocUnsafe(size);
    this.#spare = Buffer.allocUnsafe(size);
  }

  /** Takes a piece; waits while the target is behind. */
  async write(piece: Uint8Array): Promise<void> {
    for (let taken = 0; taken < piece.length; ) {
      const part = piece.subarray(taken, taken + this.#gathered.length - this.#length);
      this.#gathered.set(part, this.#length);
      this.#length += part.length;
      taken += part.length;
      if (this.#length === this.#gathered.length) await this.#begin();
    }
  }

  /** Resolves when all that was taken is written. */
  async flush(): Promise<void> {
    if (this.#length > 0) await this.#begin();
    await this.#writing;
  }

  async #begin(): Promise<void> {
    await this.#writing;
    const bytes = this.#gathered.subarray(0, this.#length);
    [this.#gathered, this.#spare] = [this.#spare, this.#gathered];
    this.#length = 0;
    const writing = this.#target.write(bytes, this.#at);
    this.#at += bytes.length;
    writing.catch(() => {}); // whoever awaits it next is told
    this.#writing = writing;
  }
}
