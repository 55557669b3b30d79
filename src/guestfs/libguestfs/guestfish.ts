import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { CalveError } from '../../errors/index.ts';
import { printablePath } from '../printable-path.ts';
import { commandLine } from './quoted.ts';
import { type GuestfishProcess, startGuestfish } from './start-guestfish.ts';

/** What is kept of what it says is wrong. */
const MOST_SAID = 65_536;
/** How long a command may take, milliseconds: a journal may have to be replayed, and a machine may be emulated. */
const ANSWER_MS = 300_000;

/** Why it ended may come on its other output after the end of the first, milliseconds. */
const LAST_WORDS_MS = 100;

/** How a command is given. */
export interface CommandOptions {
  /** Bytes of the longest answer that is taken (default 64 KiB). */
  readonly most?: number;
}

/** A command that waits for its answer. */
interface Pending {
  readonly mark: Buffer;
  readonly most: number;
  readonly chunks: Buffer[];
  length: number;
  said: string;
  resolve(answer: Answer): void;
  reject(error: CalveError): void;
}

interface Answer {
  readonly bytes: Buffer;
  /** What it said on its other output; empty: nothing went wrong. */
  readonly said: string;
}

/**
 * A guestfish that is given commands one by one. Whatever an answer holds, its end is known by a mark that nobody can guess, which
 * guestfish is told to print on both of its outputs: by `echo`, and as the name of a command that does not exist.
 */
export class Guestfish implements AsyncDisposable {
  readonly #process: GuestfishProcess;
  readonly #secret = randomBytes(16).toString('hex');
  readonly #ended: Promise<unknown>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void =>
    this.#fail(new CalveError('aborted', 'reading through libguestfs was ended'));
  #count = 0;
  #pending: Pending | undefined;
  /** Commands are given one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #failure: CalveError | undefined;
  /** What it said while nothing was asked, or last. */
  #said = '';

  private constructor(started: GuestfishProcess, signal: AbortSignal | undefined) {
    this.#process = started;
    this.#signal = signal;
    const { child } = started;
    this.#ended = once(child, 'close');
    child.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#hear(chunk));
    child.stdout?.on('end', () => setTimeout(() => this.#fail(this.#hasEnded()), LAST_WORDS_MS));
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted === true) this.#onAbort();
  }

  /**
   * @param folder its own, which goes away with it
   * @param what it is for, in an error
   * @throws CalveError `unsupported` where it is not installed
   */
  static async start(folder: string, what: string, signal: AbortSignal | undefined): Promise<Guestfish> {
    return new Guestfish(await startGuestfish(folder, what), signal);
  }

  /**
   * Gives a command, and resolves to what it prints.
   *
   * @param words each with a byte a character, quoted where it is not plain
   * @throws CalveError `not-found` for what is not there; `corrupt` for what the guest's kernel refuses to read, and for an answer
   *   that is too long; `unsupported` for a line that is; `io` when guestfish is gone; `aborted`, `closed`
   */
  async command(words: readonly string[], options: CommandOptions = {}): Promise<Buffer> {
    const { bytes, said } = await this.#ask(words, options.most ?? 65_536);
    if (said !== '') throw failure(said);
    return bytes;
  }

  /**
   * Starts the virtual machine.
   * @param milliseconds that it may take
   */
  async launch(milliseconds: number): Promise<void> {
    const timer = setTimeout(() => {
      this.#fail(
        new CalveError(
          'io',
          `the virtual machine of libguestfs did not start within ${milliseconds / 1000} s`,
          {
            hint: 'where KVM hangs: LIBGUESTFS_BACKEND_SETTINGS=force_tcg; else libguestfs-test-tool says what is wrong',
          },
        ),
      );
    }, milliseconds);
    try {
      const { said } = await this.#ask(['run'], 65_536);
      if (!/error: /.test(said)) return;
      throw new CalveError('io', `the virtual machine of libguestfs cannot start: ${shown(said)}`, {
        hint: 'libguestfs-test-tool says what is wrong; it takes a kernel in /boot that may be read, and 1 GiB of memory',
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it at once, with the virtual machine. */
  async close(): Promise<void> {
    this.#fail(new CalveError('closed', 'guestfish was closed'));
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #ask(words: readonly string[], most: number): Promise<Answer> {
    const line = commandLine(words);
    const answer = this.#turn.then(() => this.#askNow(line, most));
    this.#turn = answer.catch(() => {});
    return answer;
  }

  async #askNow(line: Buffer, most: number): Promise<Answer> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#count += 1;
    this.#said = '';
    const mark = `${this.#secret}-${this.#count}`;
    const timer = setTimeout(() => {
      this.#fail(new CalveError('io', `libguestfs gave no answer within ${ANSWER_MS / 1000} s`));
    }, ANSWER_MS);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const end = Buffer.from(`${mark}\n`);
        this.#pending = { mark: end, most, chunks: [], length: 0, said: '', resolve, reject };
        // A leading `-` lets it go on after what fails.
        this.#process.child.stdin?.write(
          Buffer.concat([Buffer.from('-'), line, Buffer.from(`\necho ${mark}\n-${mark}\n`)]),
        );
      });
    } finally {
      clearTimeout(timer);
      this.#pending = undefined;
    }
  }

  #take(chunk: Buffer): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    pending.chunks.push(chunk);
    pending.length += chunk.length;
    if (pending.length > pending.most + pending.mark.length) {
      this.#fail(
        new CalveError(
          'corrupt',
          `libguestfs gave an answer of more than ${pending.most} bytes, which are all that is taken`,
        ),
      );
    } else this.#settle(pending);
  }

  #hear(chunk: Buffer): void {
    const text = chunk.toString('latin1');
    this.#said = (this.#said + text).slice(-MOST_SAID);
    const pending = this.#pending;
    if (pending === undefined) return;
    pending.said = (pending.said + text).slice(-MOST_SAID);
    this.#settle(pending);
  }

  /** Hands over an answer that has come to its end on both outputs. */
  #settle({ mark, chunks, length, said, resolve }: Pending): void {
    const word = mark.toString('latin1', 0, mark.length - 1);
    const at = said.indexOf(word);
    if (at < 0 || said.indexOf('\n', at) < 0) return;
    // Its own, behind all else: nothing is printed until the next command.
    if (length < mark.length || !tail(chunks, mark.length).equals(mark)) return;
    const bytes = Buffer.concat(chunks, length).subarray(0, length - mark.length);
    // The mark stands in a line of its own.
    resolve({ bytes, said: said.slice(0, said.lastIndexOf('\n', at) + 1).trim() });
  }

  /** Ends everything. The first reason counts. */
  #fail(error: CalveError): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#failure ??= error;
    this.#process.kill();
    this.#pending?.reject(this.#failure);
  }

  #hasEnded(): CalveError {
    const words = shown(this.#said);
    return new CalveError('io', `guestfish ended${words === '' ? '' : `: ${words}`}`);
  }
}

/** The last bytes of several chunks. */
function tail(chunks: readonly Buffer[], length: number): Buffer {
  const last: Buffer[] = [];
  let found = 0;
  for (let at = chunks.length - 1; at >= 0 && found < length; at -= 1) {
    const chunk = chunks[at] as Buffer;
    last.unshift(chunk);
    found += chunk.length;
  }
  return Buffer.concat(last).subarray(-length);
}

/** What guestfish said is wrong, as an error of one kind or another. */
function failure(said: string): CalveError {
  const words = shown(said);
  if (/No such file or directory$/.test(said)) return new CalveError('not-found', words);
  return new CalveError('corrupt', `libguestfs cannot read it: ${words}`);
}

/** Its last lines in one, without what it says of itself ahead of each; the guest's names in it are not trusted. */
function shown(said: string): string {
  const lines = said
    .split('\n')
    .map((line) =>
      line
        .replace(/^\*stdin\*:\d+: /, '')
        .replace(/^libguestfs: error: /, '')
        .trim(),
    )
    .filter((line) => line !== '');
  return printablePath(Buffer.from(lines.slice(-4).join('; ').slice(-1000), 'latin1'));
}
