import { CalveError } from '../../errors/index.ts';
import type { BodyStream } from './body-stream.ts';
import type { Deadline } from './deadline.ts';

/** A connection is kept for the next request when no more than this is left to read of an answer nobody wants. */
const WORTH_READING = 64 * 1024;

/**
 * The body of an answer, which is read once, by one of the members. One of them must be called: until then the
 * connection is taken.
 */
export class ResponseBody implements AsyncIterable<Buffer> {
  readonly #stream: BodyStream;
  readonly #deadline: Deadline;
  readonly #stallMs: number;
  readonly #explain: (error: unknown) => CalveError;
  readonly #release: () => void;

  /**
   * @param explain what an error of the stream means
   * @param release called once when nothing more is read
   */
  constructor(
    stream: BodyStream,
    deadline: Deadline,
    stallMs: number,
    explain: (error: unknown) => CalveError,
    release: () => void,
  ) {
    this.#stream = stream;
    this.#deadline = deadline;
    this.#stallMs = stallMs;
    this.#explain = explain;
    this.#release = release;
  }

  /**
   * The pieces as they come; the connection is read no faster than they are taken. Leaving early ends the connection.
   * @throws CalveError `io` when it is lost or stalls; `aborted`
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const pieces = this.#stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        // Only the other side's slowness counts, not that of whoever takes the pieces.
        this.#deadline.set(this.#stallMs);
        const { done, value } = await pieces.next();
        this.#deadline.clear();
        if (done === true) return;
        yield value;
      }
    } catch (error) {
      throw this.#explain(error);
    } finally {
      this.#deadline.clear();
      if (!this.#stream.complete) this.#stream.destroy();
      this.#release();
    }
  }

  /**
   * All of it.
   * @throws CalveError `out-of-range` when there is more than `most` bytes; as reading does
   */
  async bytes(most: number, what: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let length = this.#stream.length ?? 0;
    if (length <= most) {
      length = 0;
      for await (const piece of this) {
        length += piece.length;
        if (length > most) break;
        pieces.push(piece);
      }
    } else {
      this.#stream.destroy();
      this.#release();
    }
    if (length <= most) return Buffer.concat(pieces);
    throw new CalveError('out-of-range', `${what}: expected at most ${most} bytes, got more`, {
      data: { most },
    });
  }

  /** The beginning of it, as text, and no error when it cannot be read: for what a registry says of its own error. */
  async beginning(most: number): Promise<string> {
    const pieces: Buffer[] = [];
    let length = 0;
    try {
      for await (const piece of this) {
        pieces.push(piece);
        length += piece.length;
        if (length >= most) break;
      }
    } catch {
      // The status stands without it.
    }
    return Buffer.concat(pieces).subarray(0, most).toString();
  }

  /** Reads what nobody wants, or ends the connection where that would take longer than making another. */
  async discard(): Promise<void> {
    await this.beginning(WORTH_READING);
  }
}
