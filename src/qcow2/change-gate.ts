/**
 * Lets changes of parts of an image run at the same time, and a change of the whole image (a snapshot, a new size) run
 * alone: it waits for those under way, and those that come later wait for it.
 */
export class ChangeGate {
  /** Those that came and have not ended, the waiting ones among them. */
  #inside = 0;
  #running = 0;
  #alone: Promise<void> | undefined;
  #onQuiet: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  /** Runs `job` beside others. */
  async shared<T>(job: () => Promise<T>): Promise<T> {
    this.#inside += 1;
    try {
      while (this.#alone) await this.#alone;
      this.#running += 1;
      try {
        return await job();
      } finally {
        this.#running -= 1;
        if (this.#running === 0) this.#onQuiet?.();
      }
    } finally {
      this.#leave();
    }
  }

  /** Runs `job` alone. It must not come through the gate itself. */
  async exclusive<T>(job: () => Promise<T>): Promise<T> {
    this.#inside += 1;
    try {
      while (this.#alone) await this.#alone;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#alone = promise;
      try {
        if (this.#running > 0) await new Promise<void>((quiet) => (this.#onQuiet = quiet));
        return await job();
      } finally {
        this.#onQuiet = undefined;
        this.#alone = undefined;
        resolve();
      }
    } finally {
      this.#leave();
    }
  }

  /** Resolves when all have ended that came before. For whoever lets nobody in any more. */
  async emptied(): Promise<void> {
    if (this.#inside > 0) await new Promise<void>((empty) => (this.#onEmpty = empty));
  }

  #leave(): void {
    this.#inside -= 1;
    if (this.#inside === 0) this.#onEmpty?.();
  }
}
