import type { BlobProgress } from '../store/index.ts';
import { barLine, Progress, type ProgressOptions, REDRAW } from './progress.ts';
import { shortDigest } from './short-digest.ts';

const UP_AND_CLEAR = '\x1b[1A\r\x1b[K';

/**
 * How far the transfers of layers are: on a terminal a bar a layer and one for all, redrawn in place and erased at the end;
 * elsewhere the plain lines of `Progress`.
 */
export class TransferBars {
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  readonly #active = new Map<string, BlobProgress>();
  readonly #whole: Progress;
  #lines = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(subject: string, options: ProgressOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#whole = new Progress(subject, options);
  }

  readonly onProgress: Progress['update'] = (progress) => this.#whole.update(progress);

  readonly onBlob = (blob: BlobProgress): void => {
    if (blob.ended) this.#active.delete(blob.digest);
    else this.#active.set(blob.digest, blob);
    const { stream, silent } = this.#options;
    if (silent === true || stream.isTTY !== true || this.#now() - this.#drawnAt < REDRAW) return;
    this.#drawnAt = this.#now();
    this.#erase();
    const width = (stream.columns || 80) - 1;
    for (const each of this.#active.values()) {
      stream.write(`${barLine(`  ${shortDigest(each.digest)} `, each.done, each.total, [], width)}\n`);
      this.#lines += 1;
    }
  };

  end(): void {
    this.#whole.end();
    this.#erase();
  }

  #erase(): void {
    if (this.#lines === 0) return;
    this.#whole.end();
    this.#options.stream.write(UP_AND_CLEAR.repeat(this.#lines));
    this.#lines = 0;
  }
}
