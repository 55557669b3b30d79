import { CalveError } from '../errors/index.ts';

/** From opening to closing: refuses use after close, and lets what is under way end before anything is released. */
export class Lifetime {
  #busy = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  /** @throws CalveError `closed` */
  check(): void {
    if (this.#closing) throw new CalveError('closed', 'the disk was closed before');
  }

  /** Counts `action` as under way until it ends. Whatever it throws, also at once, rejects. */
  async run(action: () => Promise<void>): Promise<void> {
    this.check();
    this.#busy += 1;
    try {
      await action();
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle?.();
    }
  }

  /** Waits for what is under way, then releases. A second call waits for the same end. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#end(release);
    return this.#closing;
  }

  async #end(release: () => Promise<void>): Promise<void> {
    if (this.#busy > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    await release();
  }
}
