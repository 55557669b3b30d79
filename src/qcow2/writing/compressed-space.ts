import { CalveError } from '../../errors/index.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { Allocator } from './allocator.ts';

/**
 * Where compressed clusters lie: one right behind the other, across the borders of host clusters where the next one is
 * free. Each host cluster counts a reference for every compressed cluster that touches it (trap 16). What is left of the
 * last host cluster is used as long as the image is open; on disk nothing tells of it. Members run one at a time, under
 * the writer's mutex.
 */
export class CompressedSpace {
  readonly #file: ImageFile;
  readonly #geometry: Geometry;
  readonly #allocator: Allocator;
  /** Host offset of the rest of a host cluster, which is in use up to there. */
  #rest: number | undefined;

  constructor(file: ImageFile, geometry: Geometry, allocator: Allocator) {
    this.#file = file;
    this.#geometry = geometry;
    this.#allocator = allocator;
    allocator.onFree = (cluster) => {
      // Whoever is given the whole cluster next would find this at its end.
      if (this.#rest !== undefined && this.#clusterOf(this.#rest) === cluster) this.#rest = undefined;
    };
  }

  /**
   * The host offset of space for the data of a compressed cluster.
   * @param length bytes, fewer than a cluster's
   * @throws CalveError `no-space`
   */
  async take(length: number): Promise<number> {
    const { clusterSize, clusterBits } = this.#geometry;
    const offset = (await this.#behindOthers(length)) ?? (await this.#allocator.take(1)).first * clusterSize;
    const end = offset + length;
    this.#rest = end % clusterSize === 0 ? undefined : end;
    // "Compressed Clusters Descriptor": the more bits the length takes, the fewer are left for the offset.
    if (end <= Math.min(2 ** (70 - clusterBits), Number.MAX_SAFE_INTEGER)) return offset;
    await this.giveBack(offset, length);
    throw new CalveError(
      'no-space',
      `${this.#file.path}: no compressed cluster can lie as far into the file as ${offset}`,
    );
  }

  /** For space that nothing points at, neither in memory nor on disk. */
  async giveBack(offset: number, length: number): Promise<void> {
    const first = this.#clusterOf(offset);
    await this.#allocator.release(first, this.#clusterOf(offset + length - 1) - first + 1);
  }

  /** In the rest of the last host cluster, and the next where that is too short. Else in the next alone, or nowhere. */
  async #behindOthers(length: number): Promise<number | undefined> {
    const rest = this.#rest;
    if (rest === undefined) return undefined;
    const cluster = this.#clusterOf(rest);
    const next = (cluster + 1) * this.#geometry.clusterSize;
    const fits = rest + length <= next;
    if (!fits && !(await this.#allocator.takeAt(cluster + 1))) return undefined;
    // Where the refcount is at its limit the rest stays empty (trap 29).
    if (await this.#allocator.share(cluster)) return rest;
    return fits ? undefined : next;
  }

  #clusterOf(offset: number): number {
    return Math.floor(offset / this.#geometry.clusterSize);
  }
}
