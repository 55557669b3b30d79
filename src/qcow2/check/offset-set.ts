import { CalveError } from '../../errors/index.ts';

const FIRST_CAPACITY = 4096;

/** Distinct offsets in order, gathered with repetitions in any order, in memory for the distinct ones alone. */
export class OffsetSet {
  readonly #most: number;
  #offsets: Float64Array = new Float64Array(FIRST_CAPACITY);
  #length = 0;

  /** @param most how many distinct offsets to allow */
  constructor(most: number) {
    this.#most = most;
  }

  /** @throws CalveError `out-of-range` when there are too many */
  add(offset: number): void {
    if (this.#length === this.#offsets.length) this.#makeRoom();
    this.#offsets[this.#length] = offset;
    this.#length += 1;
  }

  /** The offsets, ascending, each once. */
  sorted(): Float64Array {
    this.#compact();
    return this.#offsets.slice(0, this.#length);
  }

  #makeRoom(): void {
    this.#compact();
    if (this.#length > this.#most) {
      throw new CalveError('out-of-range', `expected at most ${this.#most} L2 tables, got more`);
    }
    if (this.#length <= this.#offsets.length / 2) return;
    const larger = new Float64Array(this.#offsets.length * 2);
    larger.set(this.#offsets);
    this.#offsets = larger;
  }

  #compact(): void {
    const used = this.#offsets.subarray(0, this.#length).sort();
    let kept = 0;
    for (const offset of used) {
      if (kept > 0 && offset === used[kept - 1]) continue;
      used[kept] = offset;
      kept += 1;
    }
    this.#length = kept;
  }
}
