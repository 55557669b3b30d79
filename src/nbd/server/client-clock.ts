/** How long a client keeps the server waiting, all its pauses together; what the server itself takes is not its fault. */
export class ClientClock {
  readonly #onOver: () => void;
  #left: number;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param milliseconds after which `onOver` is called, of waiting for the client */
  constructor(milliseconds: number, onOver: () => void) {
    this.#left = milliseconds;
    this.#onOver = onOver;
  }

  start(): void {
    this.#since = performance.now();
    this.#timer ??= setTimeout(this.#onOver, this.#left);
  }

  stop(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#left = Math.max(0, this.#left - (performance.now() - this.#since));
  }

  /** Does work that the client is not to blame for. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.stop();
    try {
      return await work();
    } finally {
      this.start();
    }
  }
}
