import { type FSWatcher, watch } from 'node:fs';
import { systemError } from '../errors/index.ts';

/** Milliseconds after which one looks even though nothing was reported: network file systems report nothing. */
const PATIENCE = 10_000;

/** Tells that something in some folders changed. Not what: whoever is told looks for himself. */
export class FolderWatch implements Disposable {
  readonly #watchers: FSWatcher[] = [];
  #changed = false;
  #failure: unknown;
  #wake: () => void = () => {};

  /** @throws CalveError `not-found`, `no-space` or `io` when the system grants no further watches */
  constructor(folders: readonly string[]) {
    for (const folder of folders) {
      try {
        const watcher = watch(folder, () => this.#note());
        watcher.on('error', (error) => {
          this.#failure ??= systemError(`cannot watch ${folder}`, error);
          this.#note();
        });
        this.#watchers.push(watcher);
      } catch (error) {
        this[Symbol.dispose]();
        throw systemError(`cannot watch ${folder}`, error);
      }
    }
  }

  /** Resolves once something changed since it resolved last; after a while all the same; and when aborted. */
  async change(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#changed && signal?.aborted !== true) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE);
        this.#wake = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', this.#wake);
          resolve();
        };
        signal?.addEventListener('abort', this.#wake);
      });
      this.#wake();
    }
    this.#changed = false;
    if (this.#failure !== undefined) throw this.#failure;
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close();
  }

  #note(): void {
    this.#changed = true;
    this.#wake();
  }
}
