import { CalveError } from '../../errors/index.ts';
import { Deadline } from './deadline.ts';

/** What may end a question and its answer ahead of time: that nothing happens, and the caller. */
export class ExchangeWatch {
  readonly deadline: Deadline;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;

  /** @param cut ends the connection, for this reason */
  constructor(url: URL, signal: AbortSignal | undefined, cut: (error: CalveError) => void) {
    this.deadline = new Deadline((waited) => cut(stalled(url, waited)));
    this.#signal = signal;
    this.#onAbort = () => cut(aborted(url, signal));
    signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Nothing may end it any more. */
  end(): void {
    this.deadline.clear();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }
}

export function aborted(url: URL, signal: AbortSignal | undefined): CalveError {
  return new CalveError('aborted', `${url.host}: the request was ended`, { cause: signal?.reason });
}

function stalled(url: URL, waited: number): CalveError {
  return new CalveError('io', `${url.host}: nothing was heard of it for ${waited / 1000} seconds`, {
    data: { registry: url.host, temporary: true },
  });
}
