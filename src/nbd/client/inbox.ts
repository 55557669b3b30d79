import { CalveError } from '../../errors/index.ts';
import type { Receiver } from './receiver.ts';

/** Bytes that may lie here unread: no part of a handshake is so long. */
const MOST_UNREAD = 1 << 20;

/** What came during a handshake, read so many bytes at a time as are asked for. */
export class Inbox implements Receiver {
  readonly #where: string;
  readonly #area = Buffer.allocUnsafeSlow(16 * 1024);
  readonly #chunks: Buffer[] = [];
  #unread = 0;
  #failure: CalveError | undefined;
  #wake: (() => void) | undefined;

  /** @param where for messages: the address */
  constructor(where: string) {
    this.#where = where;
  }

  /** Bytes that came and were not asked for. */
  get unread(): number {
    return this.#unread;
  }

  space(): Uint8Array {
    return this.#area;
  }

  received(count: number, buffer: Uint8Array): void {
    this.#unread += count;
    if (this.#unread > MOST_UNREAD) {
      throw new CalveError('invalid', `${this.#where}: expected a handshake, got ${this.#unread} bytes`);
    }
    this.#chunks.push(Buffer.from(buffer.subarray(0, count)));
    this.#wake?.();
  }

  /** Nothing more will come: who waits, and who asks for more than there is, is told why. */
  fail(error: CalveError): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  /** @throws CalveError why the connection ended before so much came */
  async read(length: number): Promise<Buffer> {
    while (this.#unread < length) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const all = this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#unread -= length;
    this.#chunks.length = 0;
    if (this.#unread > 0) this.#chunks.push(all.subarray(length));
    return all.subarray(0, length);
  }
}
