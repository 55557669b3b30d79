interface Generation {
  running: number;
  idle: (() => void) | undefined;
}

/**
 * Counts operations under way, so that one can wait for all that began before a certain moment. A host cluster that
 * was unmapped may be given away again only when nobody who looked up its old place is still reading there.
 */
export class InFlight {
  #current: Generation = { running: 0, idle: undefined };

  /** Counts an operation in; what it returns goes to `leave`. */
  enter(): Generation {
    this.#current.running += 1;
    return this.#current;
  }

  leave(generation: Generation): void {
    generation.running -= 1;
    if (generation.running === 0) generation.idle?.();
  }

  /** Resolves when all have left that entered before the call. One call at a time. */
  async drained(): Promise<void> {
    const before = this.#current;
    if (before.running === 0) return;
    this.#current = { running: 0, idle: undefined };
    await new Promise<void>((resolve) => {
      before.idle = resolve;
    });
  }
}
