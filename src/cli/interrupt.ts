import { CalveError, systemError } from '../errors/index.ts';
import { reportError } from './report-error.ts';

/** How long the process may take to leave after the first signal, in milliseconds. */
const PATIENCE = 2000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof SIGNALS;

/** The process's one abort: the first signal asks the work to stop and clean up, a second one ends the process at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;
  #said = false;
  #isPatient = false;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit code that the interruption asks for; undefined when there was none. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Whether nothing is left to be said about it. */
  get said(): boolean {
    return this.#said;
  }

  /** From now on what ends orderly may take its time after the first signal: a server, which answers what it was asked. */
  bePatient(): void {
    this.#isPatient = true;
  }

  /** Listens for signals, for stdout that takes no more, and for errors that nobody caught. */
  listen(): void {
    for (const name of Object.keys(SIGNALS).filter(isSignal)) process.on(name, () => this.#received(name));
    process.stdout.on('error', (error: NodeJS.ErrnoException) => this.#outputFailed(error));
    process.stderr.on('error', () => {});
    process.on('uncaughtException', (error) => this.#fail(error));
  }

  #received(name: Signal): void {
    if (this.#controller.signal.aborted) {
      endBy(name);
      return;
    }
    // A thread that waits for a lock in the kernel cannot be woken and holds up every orderly exit, so the signal's
    // own default action is what ends the process then. The timer does not keep a finished process alive.
    if (!this.#isPatient) setTimeout(() => endBy(name), PATIENCE).unref();
    this.#abort(SIGNALS[name], 'interrupted');
  }

  #outputFailed(error: NodeJS.ErrnoException): void {
    // Nobody reads on (`calve log | head`): not a failure, but no reason to work on either.
    if (error.code === 'EPIPE') this.#end(0, 'nobody reads the output');
    else this.#fail(systemError('cannot write to stdout', error));
  }

  /** Something broke of which the command itself will not hear, or not in time. */
  #fail(error: unknown): void {
    if (this.#said) return;
    reportError(error, { color: true });
    this.#end(1, 'failed');
    // The command may be over already.
    process.exitCode = 1;
  }

  #end(exitCode: number, reason: string): void {
    this.#said = true;
    this.#abort(exitCode, reason);
  }

  #abort(exitCode: number, reason: string): void {
    this.#exitCode ??= exitCode;
    this.#controller.abort(new CalveError('aborted', reason));
  }
}

function isSignal(name: string): name is Signal {
  return name in SIGNALS;
}

function endBy(name: Signal): void {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}
