/** How a watch judges. */
export interface LatencyLimits {
  /**
   * A call that takes longer, in milliseconds, is slow (default 0.2: ten times a page cache's, less than a device's). A
   * long one may take as much longer as copying its bytes does.
   */
  readonly slow?: number;
  /** How many reads go without the fast path after a slow one (default 64). */
  readonly pause?: number;
  /** The most reads of a pause, which doubles while each probe is slow again (default 4096). */
  readonly longestPause?: number;
  /** The time in milliseconds (default performance.now). */
  readonly clock?: () => number;
}

/** Bytes a millisecond that copying takes at least: a half of what memory of today does, more than most devices. */
const COPIED = 4_000_000;

/**
 * Whether synchronous reads, or writes, are quick just now.
 *
 * A synchronous read of what the page cache holds costs a third of one through the thread pool, but one that waits
 * for a device stops everything else, and the device sees one request at a time. So: after a slow read, a pause;
 * after the pause, one read as a probe.
 */
export class LatencyWatch {
  readonly #slow: number;
  readonly #shortest: number;
  readonly #longest: number;
  readonly #clock: () => number;
  #pause: number;
  #left = 0;

  constructor(limits: LatencyLimits = {}) {
    this.#slow = limits.slow ?? 0.2;
    this.#shortest = limits.pause ?? 64;
    this.#longest = limits.longestPause ?? 4096;
    this.#clock = limits.clock ?? (() => performance.now());
    this.#pause = this.#shortest;
  }

  /** Whether to make the next call synchronously. Ask once a call. */
  allows(): boolean {
    if (this.#left === 0) return true;
    this.#left -= 1;
    return false;
  }

  /**
   * Makes a synchronous call and judges by its time.
   * @param length the bytes that it reads or writes
   */
  time<T>(call: () => T, length = 0): T {
    const start = this.#clock();
    try {
      return call();
    } finally {
      if (this.#clock() - start <= this.#slow + length / COPIED) {
        this.#pause = this.#shortest;
      } else {
        this.#left = this.#pause;
        this.#pause = Math.min(this.#pause * 2, this.#longest);
      }
    }
  }
}
