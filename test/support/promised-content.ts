interface Change {
  readonly from: number;
  readonly to: number;
  readonly value: number;
  readonly begin: number;
  end: number;
}

/**
 * What a disk must hold after a crash: all that a flush vouched for. The disk is looked at in units that hold one value
 * throughout; moments are those of the clock that the caller keeps.
 */
export class PromisedContent {
  readonly #initial: readonly number[];
  readonly #changes: Change[] = [];
  readonly #flushes: { readonly begin: number; readonly end: number }[] = [];

  /** @param initial the value of each unit */
  constructor(initial: readonly number[]) {
    this.#initial = initial;
  }

  /** Units `from` to `to` are going to hold `value`; to be called ahead of the write. Changes under way never overlap. */
  begins(from: number, to: number, value: number, now: number): Change {
    // What happens from now on happens later than what has happened.
    const change = { from, to, value, begin: now + 1, end: Number.POSITIVE_INFINITY };
    this.#changes.push(change);
    return change;
  }

  ends(change: Change, now: number): void {
    change.end = now;
  }

  flushed(begin: number, end: number): void {
    this.#flushes.push({ begin, end });
  }

  /** The value that each unit must have after a crash at `moment`; undefined where it may have any. */
  at(moment: number): (number | undefined)[] {
    const flush = this.#flushes.findLast(({ end }) => end <= moment) ?? { begin: 0, end: 0 };
    const units: (number | undefined)[] = [...this.#initial];
    for (const { from, to, value, end } of this.#changes) if (end <= flush.begin) units.fill(value, from, to);
    for (const { from, to, begin, end } of this.#changes) {
      if (end > flush.begin && begin <= moment) units.fill(undefined, from, to);
    }
    return units;
  }
}
