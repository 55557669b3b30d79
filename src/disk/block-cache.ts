/** Blocks of bytes by number, those asked for least recently given up for others, never more bytes than the limit. */
export class BlockCache {
  readonly #limit: number;
  /** In the order they were asked for. */
  readonly #blocks = new Map<number, Uint8Array>();
  #bytes = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Blocks held now. */
  get count(): number {
    return this.#blocks.size;
  }

  get(block: number): Uint8Array | undefined {
    const bytes = this.#blocks.get(block);
    if (bytes) {
      this.#blocks.delete(block);
      this.#blocks.set(block, bytes);
    }
    return bytes;
  }

  /** As `get`, without counting as asked for. */
  peek(block: number): Uint8Array | undefined {
    return this.#blocks.get(block);
  }

  /** Keeps a block, unless it is larger than all that may be kept. */
  set(block: number, bytes: Uint8Array): void {
    this.delete(block);
    if (bytes.length > this.#limit) return;
    for (const [oldest] of this.#blocks) {
      if (this.#bytes + bytes.length <= this.#limit) break;
      this.delete(oldest);
    }
    this.#blocks.set(block, bytes);
    this.#bytes += bytes.length;
  }

  delete(block: number): void {
    this.#bytes -= this.#blocks.get(block)?.length ?? 0;
    this.#blocks.delete(block);
  }

  /** The numbers of all blocks held. */
  numbers(): number[] {
    return [...this.#blocks.keys()];
  }
}
