import { availableParallelism } from 'node:os';
import type { QuickSocket } from '../../host/index.ts';

/** How long a next request is looked out for, milliseconds: as long as a client takes that reads one block after the other. */
const PATIENCE_MS = 0.05;
/** The most times in a row that nobody looks out, after it was in vain. */
const LONGEST_PAUSE = 1024;
/** Requests come in less; what else comes is a payload. */
const LENGTH = 4096;
/** A lone client waits for its server then, and somebody else has no core to work on. */
const MAY_WATCH = availableParallelism() > 1;

/**
 * Looks out for the next request of a client that sends one when it has the reply to the one before. Going to sleep and
 * being woken costs such a client more than all else. Where requests do not come so soon, looking out ends, and is tried
 * again only now and then.
 */
export class RequestWatch {
  readonly #quick: QuickSocket;
  readonly #into = Buffer.allocUnsafeSlow(LENGTH);
  #pause = 1;
  #left = 0;

  constructor(quick: QuickSocket) {
    this.#quick = quick;
  }

  /** What came within a moment; undefined: nothing did. */
  next(): Buffer | undefined {
    if (!MAY_WATCH) return undefined;
    if (this.#left > 0) {
      this.#left -= 1;
      return undefined;
    }
    const end = performance.now() + PATIENCE_MS;
    do {
      const count = this.#quick.tryReceive(this.#into);
      if (count > 0) {
        this.#pause = 1;
        return Buffer.from(this.#into.subarray(0, count));
      }
    } while (performance.now() < end);
    this.#left = this.#pause;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    return undefined;
  }
}
