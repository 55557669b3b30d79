import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CalveError } from '../../errors/index.ts';
import type { ClusterBatch } from './cluster-batch.ts';
import type { Codec } from './compress-cluster.ts';

/** The sources run as they are, and compiled: the worker's file has the extension of this one. */
const WORKER = new URL(`./compress-worker${extname(import.meta.url)}`, import.meta.url);
/**
 * A thread's heap holds little, its garbage are compressed clusters: a small young generation is collected often
 * and so keeps the process small.
 */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };

/** What a thread is started with. */
export interface CompressThreadData {
  readonly codec: Codec;
  readonly ended: Int32Array;
}

interface Job {
  readonly batch: ClusterBatch;
  readonly resolve: () => void;
  readonly reject: (reason: CalveError) => void;
}

/** One worker thread, and the batches that are with it. */
export class CompressThread {
  readonly codec: Codec;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  /** Set to 1 once what the thread still has is no longer wanted. */
  readonly #ended = new Int32Array(new SharedArrayBuffer(4));
  readonly #jobs: Job[] = [];
  #failure: CalveError | undefined;

  constructor(codec: Codec) {
    this.codec = codec;
    const workerData: CompressThreadData = { codec, ended: this.#ended };
    // The process's own flags (an inspector's port, a test runner's) are not for its threads.
    this.#worker = new Worker(WORKER, { workerData, execArgv: [], resourceLimits: LIMITS });
    this.#exited = new Promise((resolve) => void this.#worker.once('exit', () => resolve()));
    this.#worker.on('message', (done: ClusterBatch) => this.#finish(done));
    this.#worker.on('messageerror', (cause) => this.#fail(died('sent what cannot be read', cause)));
    this.#worker.on('error', (cause) => this.#fail(died(cause.message, cause)));
    this.#worker.on('exit', (code) => this.#fail(died(`exited with code ${code}`)));
    // A thread without work keeps no process alive.
    this.#worker.unref();
  }

  /** Batches that are with the thread. */
  get load(): number {
    return this.#jobs.length;
  }

  /** Whether it lives, and has nothing to do. */
  get isIdle(): boolean {
    return this.#jobs.length === 0 && this.#failure === undefined;
  }

  /** Compresses a batch; its buffers are elsewhere until this resolves. */
  compress(batch: ClusterBatch): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#jobs.push({ batch, resolve, reject }) === 1) this.#worker.ref();
    const { input, output, chosen, lengths } = batch;
    this.#worker.postMessage({ input, output, chosen, lengths }, [input.buffer, output.buffer]);
    return promise;
  }

  /**
   * Ends the thread; what is with it rejects with `failure`. It ends by itself, after the cluster at hand: Node aborts
   * the whole process when a thread is terminated just while a zstd context is made.
   */
  async end(failure: CalveError): Promise<void> {
    this.#fail(failure);
    Atomics.store(this.#ended, 0, 1);
    this.#worker.ref();
    this.#worker.postMessage(null);
    await this.#exited;
  }

  #fail(failure: CalveError): void {
    this.#failure ??= failure;
    for (const job of this.#jobs.splice(0)) job.reject(this.#failure);
  }

  /** A worker answers in the order in which it was asked. */
  #finish(done: ClusterBatch): void {
    const job = this.#jobs.shift();
    if (!job) return;
    if (this.#jobs.length === 0) this.#worker.unref();
    job.batch.input = done.input;
    job.batch.output = done.output;
    job.batch.lengths = done.lengths;
    job.resolve();
  }
}

function died(how: string, cause?: unknown): CalveError {
  return new CalveError('io', `a thread that compresses clusters ${how}`, { cause });
}
