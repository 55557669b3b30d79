/**
 * Buffers of one length that are used again and again: memory fresh from the system takes longer than what is done with it,
 * and the collector lets much of it pile up.
 */
export class SpareBuffers {
  /** Bytes of each. */
  readonly length: number;
  readonly #most: number;
  readonly #spare: Uint8Array[] = [];

  /** @param most those that are kept at a time */
  constructor(length: number, most: number) {
    this.length = length;
    this.#most = most;
  }

  /** One that holds whatever it holds. */
  take(): Uint8Array {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.length);
  }

  /** Gives a buffer back, which nobody looks at any more; one of another length is left to the collector. */
  give(buffer: Uint8Array): void {
    if (buffer.length === this.length && this.#spare.length < this.#most) this.#spare.push(buffer);
  }
}
