import type { Store } from '../store/index.ts';
import { Output } from './output.ts';

/** The options that every verb takes, before or after its name. */
export interface GlobalOptions {
  readonly store?: string;
  readonly quiet?: boolean;
  readonly yes?: boolean;
  readonly color?: boolean;
}

/** What a verb works with: the store, the output, the signal that ends long work, and the exit code to leave with. */
export class Session {
  /** Aborted by SIGINT, SIGTERM, SIGHUP, and when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  /** 0 unless a verb sets it: 1 for a difference found, a problem found. */
  exitCode = 0;
  readonly #globals: () => GlobalOptions;
  #output: Output | undefined;

  /** @param globals read when first needed: after the command line was parsed */
  constructor(signal: AbortSignal, globals: () => GlobalOptions) {
    this.signal = signal;
    this.#globals = globals;
  }

  /** Whether `-y` was given. */
  get yes(): boolean {
    return this.#globals().yes === true;
  }

  get output(): Output {
    const { quiet = false, color = true } = this.#globals();
    this.#output ??= new Output({ quiet, color });
    return this.#output;
  }

  /** The store that was named by `--store` or the environment, as it was named; undefined is the default one. */
  get storeFolder(): string | undefined {
    return this.#globals().store;
  }

  /**
   * The store to work on. Only the default store, and a store for `init` and `import`, is made when it is not there:
   * a mistyped `--store` is an error.
   */
  async openStore(options: { readonly create?: boolean } = {}): Promise<Store> {
    const { openStore } = await import('../store/index.ts');
    const named = this.storeFolder !== undefined || (process.env['CALVE_STORE'] ?? '') !== '';
    return openStore(this.storeFolder, { create: options.create ?? !named });
  }
}
