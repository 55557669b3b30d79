import { availableParallelism } from 'node:os';
import { CalveError } from '../../errors/index.ts';
import { type ClusterBatch, compressBatch } from './cluster-batch.ts';
import { type ClusterCompressor, type Codec, checkLevel, clusterCompressor } from './compress-cluster.ts';
import { CompressThread } from './compress-thread.ts';
import { keepIdleThread, takeIdleThread } from './idle-threads.ts';

/** How a pool works. */
export interface PoolOptions extends Codec {
  /** Threads at most; one for each core by default, up to three. */
  readonly threads?: number;
  /** Bytes to compress on the calling thread before the first thread starts, where none is there (default 4 MiB). */
  readonly inlineBytes?: number;
  /** Ends the threads and rejects what they have. */
  readonly signal?: AbortSignal | undefined;
}

/** Each takes some 20 MiB, of the 200 that an operation may take. */
const MOST_THREADS = 3;
/** Starting a thread takes about as long as compressing this. */
const INLINE_BYTES = 4 * 2 ** 20;
/** Batches with a thread: one that it works on, and one that waits so that it never does. */
const BATCHES_PER_THREAD = 2;

/**
 * Opens a pool of threads that compress clusters: those that an earlier pool left. No other starts before there is work for it.
 * @throws CalveError `usage` for a level that the compression does not have
 */
export async function openCompressorPool(options: PoolOptions): Promise<CompressorPool> {
  checkLevel(options.compression, options.level);
  return new CompressorPool(options);
}

/** Compresses batches of clusters, on threads once there is enough to do. Made by `openCompressorPool`. */
export class CompressorPool implements AsyncDisposable {
  readonly #codec: Codec;
  readonly #compress: ClusterCompressor;
  readonly #mostThreads: number;
  readonly #threads: CompressThread[] = [];
  readonly #signal: AbortSignal | undefined;
  #inlineBytes: number;
  #failure: CalveError | undefined;

  constructor({ compression, level, clusterSize, threads, inlineBytes, signal }: PoolOptions) {
    this.#codec = { compression, level, clusterSize };
    this.#compress = clusterCompressor(this.#codec);
    this.#mostThreads = threads ?? Math.min(availableParallelism(), MOST_THREADS);
    this.#takeIdleThreads();
    this.#inlineBytes = this.#threads.length > 0 ? 0 : (inlineBytes ?? INLINE_BYTES);
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort);
    if (signal?.aborted) this.#abort();
  }

  /** Threads that the pool has. */
  get threads(): number {
    return this.#threads.length;
  }

  /**
   * Compresses each batch that comes and yields it, in the order of coming. No more than a few batches a thread
   * are taken before the oldest one has been passed on, so a slow consumer slows the producer down.
   *
   * @throws CalveError `aborted`; `closed`; `io` when a thread died; what `batches` throws
   */
  async *compress<Batch extends ClusterBatch>(batches: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    const underWay: { readonly batch: Batch; readonly done: Promise<void> }[] = [];
    for await (const batch of batches) {
      const done = this.#start(batch);
      // Whoever waits for it sees the failure; until then nobody does.
      done.catch(() => {});
      underWay.push({ batch, done });
      if (underWay.length < this.#mostThreads * BATCHES_PER_THREAD) continue;
      const oldest = underWay.shift();
      if (oldest) yield await finished(oldest);
    }
    for (const oldest of underWay) yield await finished(oldest);
  }

  /**
   * Compresses one batch. Whoever asks for many at once bounds how many there are.
   * @throws CalveError `aborted`; `closed`; `io` when a thread died
   */
  compressBatch(batch: ClusterBatch): Promise<void> {
    return this.#start(batch);
  }

  /** Ends the threads, or leaves them to the next pool; work under way is lost. A second call does nothing. */
  async close(): Promise<void> {
    const closed = new CalveError('closed', 'the compressor pool was closed');
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#failure ??= closed;
    const busy = this.#threads.filter((thread) => !keepIdleThread(thread));
    this.#threads.length = 0;
    await Promise.all(busy.map((thread) => thread.end(closed)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(batch: ClusterBatch): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (batch.chosen.length === 0) {
      batch.lengths = [];
    } else if (this.#inlineBytes > 0) {
      this.#inlineBytes -= batch.chosen.length * this.#codec.clusterSize;
      compressBatch(batch, this.#codec.clusterSize, this.#compress);
    } else {
      await this.#leastLoaded().compress(batch);
    }
  }

  /** A thread without work; while there is none, a new one as long as there may be more. */
  #leastLoaded(): CompressThread {
    const [first, ...rest] = this.#threads;
    if (first) {
      const least = rest.reduce((a, b) => (b.load < a.load ? b : a), first);
      if (least.load === 0 || this.#threads.length >= this.#mostThreads) return least;
    }
    const started = new CompressThread(this.#codec);
    this.#threads.push(started);
    return started;
  }

  #takeIdleThreads(): void {
    while (this.#threads.length < this.#mostThreads) {
      const idle = takeIdleThread(this.#codec);
      if (!idle) return;
      this.#threads.push(idle);
    }
  }

  readonly #abort = (): void => {
    this.#failure ??= new CalveError('aborted', 'compressing was aborted', { cause: this.#signal?.reason });
    for (const thread of this.#threads) void thread.end(this.#failure);
  };
}

async function finished<Batch>(oldest: {
  readonly batch: Batch;
  readonly done: Promise<void>;
}): Promise<Batch> {
  await oldest.done;
  return oldest.batch;
}
