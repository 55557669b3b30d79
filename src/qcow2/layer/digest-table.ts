/** Words of 32 bits that are kept of a digest. */
const WORDS = 4;
const PIECE_BITS = 12;
const PIECE = 2 ** PIECE_BITS;
const FIRST_SLOTS = 2 ** 12;

/**
 * Numbers contents by their digests: equal ones get equal numbers, new ones the next number.
 *
 * Of each sha256 the first 128 bits are kept. That two clusters of a layer share them by chance has a probability
 * below 2^-80 for a layer of 2^24 clusters; someone who makes it happen, at a cost of 2^64 hashes, exchanges two
 * clusters of his own disk.
 *
 * Memory is bounded: 16 bytes a number for the digests, and 8 to 16 for the slots. Past `limit` numbers, new
 * contents are still numbered but not remembered, so that they are not found again: 1,048,576, the default, take
 * 24 MiB, and stand for 64 GiB of different clusters of 64 KiB.
 */
export class DigestTable {
  readonly limit: number;
  #count = 0;
  #kept = 0;
  /** Open addressing: the number + 1 of what hashes there, 0 in a free slot. */
  #slots = new Uint32Array(FIRST_SLOTS);
  readonly #digests: Uint32Array[] = [];

  constructor(limit: number = 2 ** 20) {
    this.limit = limit;
  }

  /** Numbers given so far; the next new content gets this one. */
  get count(): number {
    return this.#count;
  }

  /** The number of the content with this sha256. */
  numberOf(digest: Buffer): number {
    const [a, b, c, d] = [
      digest.readUInt32LE(0),
      digest.readUInt32LE(4),
      digest.readUInt32LE(8),
      digest.readUInt32LE(12),
    ];
    const mask = this.#slots.length - 1;
    let slot = a & mask;
    for (let found = this.#slots[slot]; found !== undefined && found !== 0; found = this.#slots[slot]) {
      const piece = this.#digests[(found - 1) >>> PIECE_BITS];
      const at = ((found - 1) % PIECE) * WORDS;
      if (piece && piece[at] === a && piece[at + 1] === b && piece[at + 2] === c && piece[at + 3] === d)
        return found - 1;
      slot = (slot + 1) & mask;
    }
    if (this.#kept < this.limit) {
      this.#keep(a, b, c, d);
      this.#slots[slot] = this.#kept;
      if (this.#kept * 2 >= this.#slots.length) this.#grow();
    }
    return this.#count++;
  }

  /** Digests are kept in the order of their numbers. */
  #keep(...words: [number, number, number, number]): void {
    if (this.#kept % PIECE === 0) this.#digests.push(new Uint32Array(PIECE * WORDS));
    this.#digests.at(-1)?.set(words, (this.#kept % PIECE) * WORDS);
    this.#kept += 1;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 0; number < this.#kept; number += 1) {
      const first = this.#digests[number >>> PIECE_BITS]?.[(number % PIECE) * WORDS] ?? 0;
      let slot = first & (slots.length - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}
