/**
 * Lets changes of parts of an image run at the same time, and a change of the whole image (a snapshot, a new size) run
 * alone: it waits for those under way, and those that come later wait for it.
 */
export class ChangeGate {
  #before: (() => Promise<void>) | undefined;
  #beginning: Promise<void> | undefined;
  /** Those that came and have not ended, the waiting ones among them. */
  #inside = 0;
  #running = 0;
  #alone: Promise<void> | undefined;
  #onQuiet: (() => void) | undefined;
  #onEmpty: (() => void) | undefined;

  /** @param before runs once, ahead of the first job; when it fails, so does the job, and it runs again before the next */
  constructor(before?: () => Promise<void>) {
    this.#before = before;
  }

  /** Runs `job` beside others. */
  async shared<T>(job: () => Promise<T>): Promise<T> {
    this.#inside += 1;
    try {
      while (this.#alone) await this.#alone;
      this.#running += 1;
      try {
        if (this.#before) await this.#begin(this.#before);
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
        if (this.#before) await this.#begin(this.#before);
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

  async #begin(before: () => Promise<void>): Promise<void> {
    this.#beginning ??= before();
    try {
      await this.#beginning;
      this.#before = undefined;
    } finally {
      this.#beginning = undefined;
    }
  }

  #leave(): void {
    this.#inside -= 1;
    if (this.#inside === 0) this.#onEmpty?.();
  }
}
