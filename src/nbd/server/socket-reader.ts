import type { Duplex } from 'node:stream';
import { CalveError } from '../../errors/index.ts';

const SKIPPED_AT_A_TIME = 16 * 1024;

/** Reads from a socket so many bytes at a time as are asked for; what follows stays in the socket. */
export class SocketReader {
  readonly #socket: Duplex;
  #more: (() => void) | undefined;
  #ended = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    // One listener for good: each that is added is called again for what lies there already.
    socket.on('readable', this.#wake).on('end', this.#end).on('close', this.#end);
  }

  /** @throws CalveError `closed` when the other side ends before */
  async read(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes: Buffer | null = this.#socket.read(length);
      if (bytes?.length === length) return bytes;
      if (bytes !== null || this.#ended || this.#socket.destroyed) {
        throw new CalveError('closed', 'the other side has gone');
      }
      await new Promise<void>((resolve) => (this.#more = resolve));
    }
  }

  /** Reads bytes and throws them away. */
  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; left -= SKIPPED_AT_A_TIME) {
      await this.read(Math.min(SKIPPED_AT_A_TIME, left));
    }
  }

  /** Leaves the socket to another reader. */
  release(): void {
    this.#socket.off('readable', this.#wake).off('end', this.#end).off('close', this.#end);
  }

  readonly #wake = (): void => this.#more?.();

  readonly #end = (): void => {
    this.#ended = true;
    this.#wake();
  };
}
