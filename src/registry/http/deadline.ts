/** A time within which something must happen, again and again: one timer, which is set anew each time. */
export class Deadline {
  readonly #expire: (milliseconds: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #length = 0;

  /** @param expire called when nothing happened in time, with how long that was */
  constructor(expire: (milliseconds: number) => void) {
    this.#expire = expire;
  }

  /** Something must happen within this time from now on. */
  set(milliseconds: number): void {
    // A timer that is only restarted costs a fraction of a new one, and this is called for each piece of a body.
    if (this.#timer !== undefined && this.#length === milliseconds) {
      this.#timer.refresh();
      return;
    }
    this.clear();
    this.#length = milliseconds;
    this.#timer = setTimeout(() => this.#expire(milliseconds), milliseconds);
  }

  /** Nothing is waited for: it is the turn of this side. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
