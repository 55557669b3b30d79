import type { Store } from '../store/index.ts';
import { Output } from './output.ts';

/** The options that every verb takes, before or after its name. */
export interface GlobalOptions {
  readonly store?: string | undefined;
  /** `--store` was said without a folder. */
  readonly wholeStore?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly color?: boolean | undefined;
}

/** What a session is made of. */
export interface SessionParts {
  readonly signal: AbortSignal;
  /** Called when first needed: after the command line was parsed. */
  readonly globals: () => GlobalOptions;
  readonly run: (words: readonly string[]) => Promise<number>;
  readonly endsOrderly: () => void;
}

/** What a verb works with: the store, the output, the signal that ends long work, and the exit code to leave with. */
export class Session {
  /** Aborted by SIGINT, SIGTERM, SIGHUP, and when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  /** Runs another command line as if it were typed; resolves to its exit code. What it says and prints is not caught. */
  readonly run: (words: readonly string[]) => Promise<number>;
  /** Says that after a signal the verb ends by itself, in its own time. A second signal ends the process all the same. */
  readonly endsOrderly: () => void;
  /** 0 unless a verb sets it: 1 for a difference found, a problem found. */
  exitCode = 0;
  readonly #globals: () => GlobalOptions;
  #output: Output | undefined;

  constructor(parts: SessionParts) {
    this.signal = parts.signal;
    this.run = parts.run;
    this.endsOrderly = parts.endsOrderly;
    this.#globals = parts.globals;
  }

  get globals(): GlobalOptions {
    return this.#globals();
  }

  get output(): Output {
    const { quiet = false, color = true } = this.globals;
    this.#output ??= new Output({ quiet, color });
    return this.#output;
  }

  /**
   * The store to work on, made on first use; but a store that `--store` names is made by `init` and `import` alone,
   * because elsewhere a folder that is not there is a slip of the fingers.
   */
  async openStore(options: { readonly create?: boolean } = {}): Promise<Store> {
    const { openStore } = await import('../store/index.ts');
    const { store } = this.globals;
    return openStore(store, { create: options.create ?? store === undefined });
  }
}
