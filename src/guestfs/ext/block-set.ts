/** Blocks of one piece of the set; a page of bits. */
const PER_PIECE = 32_768;

/** A set of the blocks of a file system. Takes memory where it has members. */
export class BlockSet {
  readonly #pieces = new Map<number, Uint8Array>();

  add(first: number, count: number): void {
    for (let block = first; block < first + count; block += 1) {
      const number = Math.floor(block / PER_PIECE);
      let piece = this.#pieces.get(number);
      if (piece === undefined) {
        piece = new Uint8Array(PER_PIECE / 8);
        this.#pieces.set(number, piece);
      }
      const at = block % PER_PIECE;
      piece[at >>> 3] = (piece[at >>> 3] ?? 0) | (1 << (at & 7));
    }
  }

  clear(): void {
    this.#pieces.clear();
  }

  has(block: number): boolean {
    const at = block % PER_PIECE;
    return (((this.#pieces.get(Math.floor(block / PER_PIECE))?.[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 1;
  }

  /** The runs of neighbours, in order, each in one piece. */
  *runs(): Generator<{ readonly first: number; readonly count: number }> {
    for (const number of [...this.#pieces.keys()].sort((a, b) => a - b)) {
      const start = number * PER_PIECE;
      for (let at = 0; at < PER_PIECE; ) {
        if (!this.has(start + at)) {
          at += 1;
          continue;
        }
        const first = at;
        while (at < PER_PIECE && this.has(start + at)) at += 1;
        yield { first: start + first, count: at - first };
      }
    }
  }
}
