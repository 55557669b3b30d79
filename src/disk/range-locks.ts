interface Held {
  readonly start: number;
  readonly end: number;
  readonly released: Promise<void>;
}

/** Lets jobs on ranges that overlap run one after another, in the order they came; others run at the same time. */
export class RangeLocks {
  readonly #held = new Set<Held>();

  /** Runs `job` when every job that came before on any of `start` to `end` (exclusive) has ended. */
  async run<T>(start: number, end: number, job: () => Promise<T>): Promise<T> {
    const before = [...this.#held].filter((held) => held.start < end && start < held.end);
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = { start, end, released: promise };
    this.#held.add(held);
    try {
      for (const other of before) await other.released;
      return await job();
    } finally {
      this.#held.delete(held);
      resolve();
    }
  }
}
