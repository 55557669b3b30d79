import { CalveError } from '../errors/index.ts';

/** How long the process may take to leave after the first signal, in milliseconds. */
const PATIENCE = 2000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof SIGNALS;

/** The process's one abort: the first signal asks the work to stop and clean up, a second one ends the process at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  #exitCode: number | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit code that the interruption asks for; undefined when there was none. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Listens for signals and for a reader of stdout that goes away. */
  listen(): void {
    for (const name of Object.keys(SIGNALS).filter(isSignal)) process.on(name, () => this.#received(name));
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      // Nobody reads on (`calve log | head`): not a failure, but no reason to work on either.
      this.#abort(0, 'nobody reads the output');
    });
    process.stderr.on('error', () => {});
  }

  #received(name: Signal): void {
    if (this.#controller.signal.aborted) {
      endBy(name);
      return;
    }
    // A thread that waits for a lock in the kernel cannot be woken and holds up every orderly exit, so the signal's
    // own default action is what ends the process then. The timer does not keep a finished process alive.
    setTimeout(() => endBy(name), PATIENCE).unref();
    this.#abort(SIGNALS[name], 'interrupted');
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
