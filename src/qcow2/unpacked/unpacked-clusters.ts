import { BoundedCache, type CacheBudget } from '../bounded-cache.ts';
import { SpareBuffers } from './spare-buffers.ts';
import type { Spilled, SpillFile } from './spill-file.ts';

/** Clusters of which an image remembers that they were unpacked: numbers, of some tens of bytes each. */
const MOST_REMEMBERED = 16_384;
const MOST_SPARE = 16;

/**
 * The unpacked clusters of one image, by the host offset of their compressed data: some in memory, and of those that were
 * unpacked a second time, because memory had no room for them, more in a file.
 */
export class UnpackedClusters {
  /** Of a cluster's length, for what is packed and unpacked. */
  readonly spare: SpareBuffers;
  readonly #memory: BoundedCache<Uint8Array>;
  readonly #file: SpillFile | undefined;
  readonly #spilled = new Map<number, Spilled>();
  /** Unpacked before; the ones that were unpacked longest ago are first. */
  readonly #once = new Set<number>();

  /** @param clusterSize bytes */
  constructor(budget: CacheBudget, clusterSize: number, file: SpillFile | undefined) {
    this.spare = new SpareBuffers(clusterSize, MOST_SPARE);
    this.#memory = new BoundedCache(budget, clusterSize, (cluster) => this.spare.give(cluster));
    this.#file = file;
  }

  /** Fills `into` from byte `at` of a cluster that is kept; false when it is not, or the device must be waited for. */
  tryRead(host: number, into: Uint8Array, at: number): boolean {
    const cluster = this.#memory.get(host);
    if (cluster) {
      into.set(cluster.subarray(at, at + into.length));
      return true;
    }
    const spilled = this.#spilled.get(host);
    return spilled !== undefined && this.#file?.tryRead(spilled, into, at) === true;
  }

  /** As `tryRead`, waiting for the device. */
  async read(host: number, into: Uint8Array, at: number): Promise<boolean> {
    if (this.tryRead(host, into, at)) return true;
    const spilled = this.#spilled.get(host);
    return spilled !== undefined && (await this.#file?.read(spilled, into, at)) === true;
  }

  /** Keeps a cluster, in a buffer that is no longer its giver's. */
  keep(host: number, cluster: Uint8Array): void {
    this.#memory.set(host, cluster);
    if (this.#spilled.has(host)) return;
    if (this.#once.delete(host)) {
      const spilled = this.#file?.add(this, cluster, () => this.#spilled.delete(host));
      if (spilled) this.#spilled.set(host, spilled);
    }
    this.#once.add(host);
    if (this.#once.size <= MOST_REMEMBERED) return;
    const [oldest] = this.#once;
    if (oldest !== undefined) this.#once.delete(oldest);
  }

  /** Other compressed data is going to lie there. */
  forget(host: number): void {
    this.#memory.delete(host);
    const spilled = this.#spilled.get(host);
    if (!spilled) return;
    spilled.gone = true;
    this.#spilled.delete(host);
  }

  async close(): Promise<void> {
    this.#memory.clear();
    for (const host of [...this.#spilled.keys()]) this.forget(host);
    await this.#file?.leave(this);
  }
}
