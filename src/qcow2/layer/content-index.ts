import { randomInt } from 'node:crypto';
import { NumberList } from './number-list.ts';

const FIRST_SLOT_BITS = 12;

/**
 * Numbers the contents of clusters in the order in which they come, and finds the one that a further cluster may
 * equal: by a fingerprint of 32 bits, so whoever asks has to compare. Of several contents with one fingerprint only
 * the first is found, which keeps it at one comparison a cluster whatever the disk holds.
 *
 * Memory is bounded: 12 bytes a content, and 8 to 16 for the slots. From `limit` contents on, new ones are numbered
 * but not found again. The default, 1,048,576, takes 28 MiB and stands for 64 GiB of different clusters of 64 KiB.
 */
export class ContentIndex {
  readonly limit: number;
  #count = 0;
  readonly #fingerprints = new NumberList(Uint32Array);
  readonly #guests = new NumberList(Float64Array);
  /** Open addressing: the content's number + 1, 0 in a free slot. */
  #slots = new Uint32Array(2 ** FIRST_SLOT_BITS);
  #slotBits = FIRST_SLOT_BITS;
  /**
   * Odd, and different each time: no disk can be made so that its fingerprints crowd in a few slots. Which content
   * is found does not depend on it.
   */
  readonly #multiplier = randomInt(2 ** 31) * 2 + 1;

  constructor(limit: number = 2 ** 20) {
    this.limit = limit;
  }

  /** Contents so far; the next new one gets this number. */
  get count(): number {
    return this.#count;
  }

  /** The first content with this fingerprint. */
  find(fingerprint: number): number | undefined {
    const found = this.#slots[this.#slotOf(fingerprint)];
    return found ? found - 1 : undefined;
  }

  /** The first guest cluster that had a content, which was found. */
  guestOf(content: number): number {
    return this.#guests.get(content);
  }

  /** Numbers a new content, which `guest` is the first to have. */
  add(fingerprint: number, guest: number): number {
    if (this.#count < this.limit) {
      this.#fingerprints.push(fingerprint);
      this.#guests.push(guest);
      this.#insert(this.#count);
      if (this.#count * 2 >= this.#slots.length) this.#grow();
    }
    return this.#count++;
  }

  #insert(content: number): void {
    const slot = this.#slotOf(this.#fingerprints.get(content));
    if (this.#slots[slot] === 0) this.#slots[slot] = content + 1;
  }

  /** The slot of the first content with this fingerprint, or the free one where it would be. */
  #slotOf(fingerprint: number): number {
    const mask = this.#slots.length - 1;
    let slot = Math.imul(fingerprint, this.#multiplier) >>> (32 - this.#slotBits);
    for (let found = this.#slots[slot]; found; found = this.#slots[slot]) {
      if (this.#fingerprints.get(found - 1) === fingerprint) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    this.#slotBits += 1;
    this.#slots = new Uint32Array(2 ** this.#slotBits);
    for (let content = 0; content < this.#fingerprints.length; content += 1) this.#insert(content);
  }
}
