import { setTimeout as sleep } from 'node:timers/promises';
import { CalveError } from '../../errors/index.ts';
import { limitsOf, type RegistryLimits, type RegistryOptions } from '../options.ts';

/** How one piece of work is tried again: what fails for the time being is waited for, ever longer, and not for ever. */
export class Backoff {
  readonly #limits: RegistryLimits;
  readonly #options: RegistryOptions;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(options: RegistryOptions, signal: AbortSignal | undefined) {
    this.#limits = limitsOf(options);
    this.#options = options;
    this.#signal = signal;
  }

  /** The work got further than ever: what failed before counts no more. */
  reset(): void {
    this.#failures = 0;
  }

  /**
   * Waits until the work may be tried again.
   * @throws the error itself where another try is of no use, or was one too many; CalveError `aborted`
   */
  async wait(error: unknown): Promise<void> {
    if (!isTemporary(error) || this.#failures >= this.#limits.retries) throw error;
    const { firstDelayMs, longestDelayMs, longestRetryAfterMs } = this.#limits;
    const asked = error.data['retryAfter'];
    if (typeof asked === 'number' && asked > longestRetryAfterMs) throw tooLong(error, asked);
    // Less by chance: many clients that failed at one moment shall not come back at one moment.
    const own = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#failures) * (1 - Math.random() / 2);
    const delay = typeof asked === 'number' ? Math.max(asked, own) : own;
    this.#failures += 1;
    this.#options.onRetry?.({ error, delay });
    try {
      if (this.#options.wait) await this.#options.wait(delay, this.#signal);
      else await sleep(delay, undefined, this.#signal && { signal: this.#signal });
    } catch (cause) {
      if (!this.#signal?.aborted) throw cause;
      throw new CalveError('aborted', `waiting to try again was ended: ${error.message}`, { cause });
    }
  }
}

/**
 * Does something, and does it again while it fails for the time being.
 * @throws the last error
 */
export async function persistently<T>(
  options: RegistryOptions,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  const backoff = new Backoff(options, signal);
  for (;;) {
    try {
      return await action();
    } catch (error) {
      await backoff.wait(error);
    }
  }
}

/** Whether what failed may go away by itself. */
export function isTemporary(error: unknown): error is CalveError {
  return CalveError.is(error) && error.data['temporary'] === true;
}

function tooLong(error: CalveError, asked: number): CalveError {
  const seconds = Math.ceil(asked / 1000);
  return new CalveError(error.code, `${error.message}: it asks to be left alone for ${seconds} seconds`, {
    hint: `try again in ${seconds} seconds`,
    data: error.data,
    cause: error,
  });
}
