import type { Digest } from '../../oci/index.ts';
import type { TransferProgress } from '../../registry/index.ts';
import type { BlobProgress, LayerInfo, WorkOptions } from '../types.ts';

/** Adds up how far the transfers of several layers are, for whoever watches. */
export class TransferWatch {
  readonly signal: AbortSignal | undefined;
  readonly #options: WatchOptions;
  readonly #phase: 'fetching' | 'sending';
  readonly #total: number;
  readonly #done = new Map<Digest, number>();
  #sum = 0;

  constructor(phase: 'fetching' | 'sending', layers: readonly LayerInfo[], options: WatchOptions) {
    this.signal = options.signal;
    this.#phase = phase;
    this.#options = options;
    this.#total = layers.reduce((sum, { size }) => sum + size, 0);
  }

  report({ digest, size }: LayerInfo, { done, moved, there }: TransferProgress): void {
    this.#sum += done - (this.#done.get(digest) ?? 0);
    this.#done.set(digest, done);
    const { onBlob, onProgress } = this.#options;
    onBlob?.({ digest, done, total: size, moved, there, ended: false });
    onProgress?.({ phase: this.#phase, done: Math.min(this.#sum, this.#total), total: this.#total });
  }

  /** A layer is where it shall be. */
  end({ digest, size }: LayerInfo): void {
    this.#sum += size - (this.#done.get(digest) ?? 0);
    this.#done.set(digest, size);
    this.#options.onBlob?.({ digest, done: size, total: size, moved: 0, there: 0, ended: true });
  }
}

/** Who is told. */
export interface WatchOptions extends WorkOptions {
  readonly onBlob?: ((progress: BlobProgress) => void) | undefined;
}
