interface Held {
  readonly first: number;
  readonly last: number;
  readonly released: Promise<void>;
}

/**
 * Guest clusters that somebody is giving a new place. Who wants to do so with one of them waits; who only reads, or
 * writes where the clusters lie already, does not.
 */
export class ClusterLocks {
  readonly #held = new Set<Held>();

  /** Waits until nobody holds any of the clusters `first` to `last`. Returns what releases them. */
  async acquire(first: number, last: number): Promise<() => void> {
    let other = this.#overlapping(first, last);
    while (other) {
      await other.released;
      other = this.#overlapping(first, last);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = { first, last, released: promise };
    this.#held.add(held);
    return () => {
      this.#held.delete(held);
      resolve();
    };
  }

  #overlapping(first: number, last: number): Held | undefined {
    for (const held of this.#held) if (held.first <= last && first <= held.last) return held;
    return undefined;
  }
}
