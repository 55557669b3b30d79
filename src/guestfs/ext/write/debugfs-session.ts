import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { CalveError } from '../../../errors/index.ts';
import { startE2fsprogs } from './run-e2fsprogs.ts';

/** debugfs says each command that it begins on a line of its own, with this before it. */
const ECHO = Buffer.from('debugfs: ');
const LINE_END = 0x0a;
const MOST_SAID = 4096;

/**
 * A debugfs that is given commands, which are bytes, line by line. It goes on after what fails and ends with 0: what
 * counts is that it says nothing on stderr, and what the file system holds afterwards.
 */
export class DebugfsSession implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #signal: AbortSignal | undefined;
  readonly #kill: () => void;
  #lines: Buffer[] = [];
  #given = 0;
  #begun = 0;
  #isLineStart = true;
  #matched = 0;
  #said = '';
  #wake: (() => void) | undefined;
  #hasEnded = false;

  private constructor(child: ChildProcess, signal: AbortSignal | undefined) {
    this.#child = child;
    this.#signal = signal;
    this.#kill = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', this.#kill);
    child.stdout?.on('data', (chunk: Buffer) => this.#count(chunk));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(0, MOST_SAID);
      this.#wake?.();
    });
    // Writing to a debugfs that died is told by its end.
    child.stdin?.on('error', () => {});
    child.on('close', () => {
      this.#hasEnded = true;
      this.#wake?.();
    });
  }

  /** @param image the file system @throws CalveError `unsupported` where debugfs is not installed */
  static async open(image: string, signal: AbortSignal | undefined): Promise<DebugfsSession> {
    const child = await startE2fsprogs('debugfs', ['-w', '-f', '-', image], 'pipe');
    return new DebugfsSession(child, signal);
  }

  /** How many commands were given. */
  get given(): number {
    return this.#given;
  }

  /** Gives a command, without waiting for it. */
  give(command: Buffer): void {
    this.#lines.push(command, Buffer.from('\n'));
    this.#given += 1;
  }

  /** Waits until every command was done. @throws CalveError with what debugfs said */
  async settle(): Promise<void> {
    // One that does nothing: when it begins, those before it are done.
    this.give(Buffer.from('cd <2>'));
    await this.#send();
    while (this.#begun < this.#given && !this.#hasEnded) {
      this.#check();
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#check();
    if (this.#hasEnded) throw new CalveError('io', 'debugfs ended before its time');
  }

  /** Waits until every command was done and the file system is whole. */
  async end(): Promise<void> {
    await this.#send();
    this.#child.stdin?.end();
    if (!this.#hasEnded) await once(this.#child, 'close');
    this.#check();
    if (this.#child.exitCode !== 0) {
      throw new CalveError('io', `debugfs ended with ${this.#child.exitCode ?? this.#child.signalCode}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#kill);
    if (this.#hasEnded) return;
    this.#kill();
    await once(this.#child, 'close');
  }

  async #send(): Promise<void> {
    const bytes = Buffer.concat(this.#lines);
    this.#lines = [];
    if (bytes.length === 0 || this.#hasEnded) return;
    if (this.#child.stdin?.write(bytes) === false) {
      await Promise.race([once(this.#child.stdin, 'drain'), once(this.#child, 'close')]);
    }
  }

  #check(): void {
    if (this.#signal?.aborted === true) throw new CalveError('aborted', 'writing the file system was ended');
    const said = this.#said.replace(/^debugfs \d[^\n]*(\n|$)/, '').trim();
    if (said === '') return;
    const line = said.split('\n')[0] ?? said;
    if (/Could not (allocate|find).*(block|inode)|No free/i.test(line)) {
      throw new CalveError('no-space', `the file system has no room: ${line}`, {});
    }
    throw new CalveError('io', `debugfs could not write the file system: ${line}`);
  }

  /** Counts the lines that say a command. */
  #count(chunk: Buffer): void {
    const before = this.#begun;
    for (const byte of chunk) {
      if (this.#isLineStart && byte === ECHO[this.#matched]) {
        this.#matched += 1;
        if (this.#matched === ECHO.length) {
          this.#begun += 1;
          this.#isLineStart = false;
        }
      } else this.#isLineStart = false;
      if (byte === LINE_END) {
        this.#isLineStart = true;
        this.#matched = 0;
      }
    }
    if (this.#begun > before) this.#wake?.();
  }
}

/** A command of words that are told as they are. */
export function words(command: string, ...further: readonly Buffer[]): Buffer {
  return Buffer.concat([
    Buffer.from(command),
    ...further.flatMap((word) => [Buffer.from(' '), quoted(word)]),
  ]);
}

/** A name that debugfs takes for no inode (`<12>`) and no option. */
export function dotted(name: Buffer): Buffer {
  return Buffer.concat([Buffer.from('./'), name]);
}

/** A word of a command, whatever bytes it has but line ends: within quotes, a quote twice. */
function quoted(word: Buffer): Buffer {
  return Buffer.from(`"${word.toString('latin1').replaceAll('"', '""')}"`, 'latin1');
}

/** Whether debugfs would take a name for more than one line. */
export function hasLineEnd(word: Buffer): boolean {
  return word.includes(0x0a) || word.includes(0x0d);
}
