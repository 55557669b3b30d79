import type { Duplex } from 'node:stream';
import type { QuickSocket } from '../../host/index.ts';
import { giveBuffer, takeBuffer } from './buffer-pool.ts';

/** Bytes of a buffer that several replies share; a longer reply gets one of its own. */
const SHARED = 256 * 1024;
/** The same where memory is short. */
const SMALL = 32 * 1024;

/**
 * What a connection sends: replies are put one behind the other into one buffer, which goes out in one write. While a write
 * is with the kernel, what comes gathers for the next one. A buffer is used again once the socket has let go of it.
 */
export class ReplyBatch {
  readonly #socket: Duplex;
  readonly #quick: QuickSocket | undefined;
  readonly #memory: { readonly bytes: number };
  readonly #onSent: () => void;
  #buffer: Buffer | undefined;
  #used = 0;
  /** What waits behind the write that is under way; the shared buffer comes after it. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes of the writes under way. */
  #sending = 0;
  #sent = 0;
  #held = false;
  #parts: Promise<void> = Promise.resolve();
  #empty: PromiseWithResolvers<void> | undefined;

  /**
   * @param quick the socket, where it can be written to at once
   * @param memory what the connection may use
   * @param onSent called when bytes have come to the kernel, or the connection is gone
   */
  constructor(
    socket: Duplex,
    quick: QuickSocket | undefined,
    memory: { readonly bytes: number },
    onSent: () => void,
  ) {
    this.#socket = socket;
    this.#quick = quick;
    this.#memory = memory;
    this.#onSent = onSent;
  }

  /** Bytes that are not yet with the kernel. */
  get unsent(): number {
    return this.#sending + this.#waitingBytes + this.#used;
  }

  /** Bytes that came to the kernel, ever. */
  get sent(): number {
    return this.#sent;
  }

  /** Nobody is left to be told. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** The buffer that `place` placed something in. */
  get buffer(): Buffer {
    return this.#buffer as Buffer;
  }

  /** Makes room for a reply in `buffer`. Returns where it begins. */
  place(length: number): number {
    if (this.#buffer && this.#used + length > this.#buffer.length) this.#seal();
    if (this.#buffer && this.#used + length > this.#buffer.length) {
      // It is empty, and too short.
      giveBuffer(this.#buffer);
      this.#buffer = undefined;
    }
    this.#buffer ??= this.#newBuffer(length);
    const at = this.#used;
    this.#used += length;
    return at;
  }

  #newBuffer(length: number): Buffer {
    return takeBuffer(Math.max(length, this.#memory.bytes < SHARED ? SMALL : SHARED));
  }

  /** Takes back the last bytes that were placed. */
  takeBack(length: number): void {
    this.#used -= length;
  }

  /** Adds a reply that has a buffer of its own, which is the batch's from now on. */
  add(bytes: Buffer): void {
    this.#seal();
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** Runs `job`, which sends a reply in parts; other replies wait meanwhile, so as not to come between them. */
  inParts(job: (send: (part: Buffer) => Promise<void>) => Promise<void>): Promise<void> {
    const before = this.#parts;
    const done = (async () => {
      await before;
      this.flush();
      this.#held = true;
      try {
        await job((part) => this.#sendPart(part));
      } finally {
        this.#held = false;
        this.flush();
      }
    })();
    this.#parts = done.catch(() => {});
    return done;
  }

  /** Ends the connection in the midst of a reply. */
  abandon(): void {
    this.#socket.destroy();
  }

  /** Sends what is there, unless a write is under way, whose end sends it. */
  flush(): void {
    if (this.#held || this.#sending > 0) return;
    const parts = this.#waiting;
    if (this.#buffer && this.#used > 0) {
      parts.push(this.#buffer.subarray(0, this.#used));
      this.#buffer = undefined;
    }
    if (parts.length === 0) return;
    this.#sending = this.#waitingBytes + this.#used;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#used = 0;
    this.#write(parts);
  }

  /** Resolves when all is with the kernel, or the connection is gone. */
  async drained(): Promise<void> {
    await this.#parts;
    this.flush();
    while (this.unsent > 0 && !this.#socket.destroyed) {
      this.#empty = Promise.withResolvers<void>();
      await this.#empty.promise;
    }
  }

  /** Resolves when the part, which is the batch's now, is with the kernel, or the connection is gone. */
  #sendPart(part: Buffer): Promise<void> {
    this.#sending += part.length;
    return new Promise((resolve) => {
      this.#socket.write(part, () => {
        this.#wrote(part.length, [part]);
        resolve();
      });
    });
  }

  /** Sends what the kernel takes at once; what is left goes through the stream, which waits. */
  #write(parts: readonly Buffer[]): void {
    const left = this.#quick ? this.#writeNow(parts, this.#quick) : parts;
    if (left.length === 0) return;
    const bytes = this.#sending;
    if (left.length > 1) this.#socket.cork();
    left.forEach((part, at) => {
      if (at + 1 < left.length) this.#socket.write(part);
      else this.#socket.write(part, () => this.#wrote(bytes, left));
    });
    if (left.length > 1) this.#socket.uncork();
  }

  /** Returns what could not be sent. */
  #writeNow(parts: readonly Buffer[], quick: QuickSocket): readonly Buffer[] {
    let at = 0;
    for (const part of parts) {
      const count = quick.trySend(part);
      this.#sending -= count;
      this.#sent += count;
      if (count < part.length) {
        return [count === 0 ? part : part.subarray(count), ...parts.slice(at + 1)];
      }
      giveBuffer(part);
      at += 1;
    }
    this.#onSent();
    return [];
  }

  #wrote(bytes: number, parts: readonly Buffer[]): void {
    this.#sending -= bytes;
    this.#sent += bytes;
    for (const part of parts) giveBuffer(part);
    if (this.#socket.destroyed) this.drop();
    else this.flush();
    if (this.unsent === 0) this.#empty?.resolve();
    this.#onSent();
  }

  /** Forgets what is there: the connection is gone. */
  drop(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#used = 0;
    this.#empty?.resolve();
  }

  /** Puts the shared buffer's content in line; what is little moves out, so that no buffer waits for a few bytes. */
  #seal(): void {
    const buffer = this.#buffer;
    if (!buffer || this.#used === 0) return;
    const content = buffer.subarray(0, this.#used);
    if (this.#used < buffer.length / 2) {
      this.#waiting.push(Buffer.from(content));
    } else {
      this.#waiting.push(content);
      this.#buffer = undefined;
    }
    this.#waitingBytes += this.#used;
    this.#used = 0;
  }
}
