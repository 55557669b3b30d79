import { realpath } from 'node:fs/promises';
import { CalveError, systemError } from '../errors/index.ts';
import { CacheBudget } from './bounded-cache.ts';

/** The most images of a chain. */
const MAX_DEPTH = 256;
const TABLE_BYTES = 32 * 1024 ** 2;
const CLUSTER_BYTES = 32 * 1024 ** 2;

/** Bounds of a chain as a whole. */
export interface ChainLimits {
  /** The most images, one on top of the other (default 256). */
  readonly maxDepth?: number;
  /** Memory for L2 tables and refcount blocks of all its images, in bytes (default 32 MiB). */
  readonly tableBytes?: number;
  /** Memory for unpacked clusters of all its images, in bytes (default 32 MiB). */
  readonly clusterBytes?: number;
}

/** What the images of one backing chain share: the way down to this image, and the memory for caches. */
export class Chain {
  /** Paths, links resolved, from the top to this image. */
  readonly ancestors: readonly string[];
  readonly maxDepth: number;
  readonly tables: CacheBudget;
  readonly clusters: CacheBudget;

  private constructor(
    ancestors: readonly string[],
    maxDepth: number,
    tables: CacheBudget,
    clusters: CacheBudget,
  ) {
    this.ancestors = ancestors;
    this.maxDepth = maxDepth;
    this.tables = tables;
    this.clusters = clusters;
  }

  /** A chain without any image yet. */
  static begin(limits: ChainLimits = {}): Chain {
    return new Chain(
      [],
      limits.maxDepth ?? MAX_DEPTH,
      new CacheBudget(limits.tableBytes ?? TABLE_BYTES),
      new CacheBudget(limits.clusterBytes ?? CLUSTER_BYTES),
    );
  }

  /**
   * The chain with one more image below.
   * @throws CalveError `invalid` when the image is in the chain already, or the chain too deep; `not-found`
   */
  async enter(path: string): Promise<Chain> {
    const resolved = await realpath(path).catch((error: unknown) => {
      throw systemError(`cannot open ${path}`, error);
    });
    const ancestors = [...this.ancestors, resolved];
    if (this.ancestors.includes(resolved)) {
      const cycle = ancestors.slice(this.ancestors.indexOf(resolved));
      throw new CalveError('invalid', `the backing chain is a cycle: ${cycle.join(' -> ')}`, {
        data: { cycle },
      });
    }
    if (ancestors.length > this.maxDepth) {
      throw new CalveError(
        'invalid',
        `${this.ancestors[0]}: expected a chain of at most ${this.maxDepth} images`,
      );
    }
    return new Chain(ancestors, this.maxDepth, this.tables, this.clusters);
  }
}
