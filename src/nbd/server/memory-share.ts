import type { Limits } from './limits.ts';

/** Less than this does not get a client anywhere. */
const LEAST = 32 * 1024;
/** A share is a whole number of so many bytes, since long reads are cut at shares. */
const UNIT = 4096;

/** The memory that a server spends on commands and replies, shared by the clients of the moment. */
export class MemoryShare {
  readonly #limits: Limits;
  #clients = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** One client more. The function that is returned makes it one less, once. */
  join(): () => void {
    this.#clients += 1;
    let joined = true;
    return () => {
      if (joined) this.#clients -= 1;
      joined = false;
    };
  }

  /** How many there are. */
  get clients(): number {
    return this.#clients;
  }

  /** Bytes that a client may have under way now. */
  get bytes(): number {
    const { clientBytes, serverBytes } = this.#limits;
    const share = Math.min(clientBytes, serverBytes / Math.max(1, this.#clients));
    return Math.max(LEAST, share - (share % UNIT));
  }
}
