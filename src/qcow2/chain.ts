import { realpathSync } from 'node:fs';
import { CalveError, systemError } from '../errors/index.ts';
import { openScratchFile } from '../host/index.ts';
import { CacheBudget } from './bounded-cache.ts';
import { SpillFile } from './unpacked/spill-file.ts';

/** The most images of a chain. */
const MAX_DEPTH = 256;
const TABLE_BYTES = 32 * 1024 ** 2;
const CLUSTER_BYTES = 16 * 1024 ** 2;
const SPILL_BYTES = 256 * 1024 ** 2;

/** Of the process: opened when a cluster goes to it, and closed with the last image that used it. */
const SPILL = new SpillFile(SPILL_BYTES, () => openScratchFile(4 * SPILL_BYTES));

/** Bounds of a chain as a whole. */
export interface ChainLimits {
  /** The most images, one on top of the other (default 256). */
  readonly maxDepth?: number;
  /** Memory for L2 tables of all its images, in bytes (default 32 MiB). */
  readonly tableBytes?: number;
  /** Memory for refcount blocks, in bytes (default a quarter of `tableBytes`). */
  readonly refcountBytes?: number;
  /** Memory for unpacked clusters of all its images, in bytes (default 16 MiB). */
  readonly clusterBytes?: number;
  /**
   * Whether unpacked clusters that are asked for again and again, and find no room in memory, go to a file without a name
   * in $TMPDIR or /var/tmp (default true). All chains of a process share it; it takes 256 MiB at most.
   */
  readonly spill?: boolean;
}

/** Room that the caches of all images of a chain share. */
export interface ChainBudgets {
  readonly tables: CacheBudget;
  readonly refcounts: CacheBudget;
  readonly clusters: CacheBudget;
  readonly spill: SpillFile | undefined;
}

/** What the images of one backing chain share: the way down to this image, and the memory for caches. */
export class Chain {
  /** Paths, links resolved, from the top to this image. */
  readonly ancestors: readonly string[];
  readonly maxDepth: number;
  readonly budgets: ChainBudgets;

  private constructor(ancestors: readonly string[], maxDepth: number, budgets: ChainBudgets) {
    this.ancestors = ancestors;
    this.maxDepth = maxDepth;
    this.budgets = budgets;
  }

  /** A chain without any image yet. */
  static begin(limits: ChainLimits = {}): Chain {
    const { maxDepth = MAX_DEPTH, tableBytes = TABLE_BYTES, clusterBytes = CLUSTER_BYTES } = limits;
    return new Chain([], maxDepth, {
      tables: new CacheBudget(tableBytes),
      refcounts: new CacheBudget(limits.refcountBytes ?? tableBytes / 4),
      clusters: new CacheBudget(clusterBytes),
      spill: limits.spill === false ? undefined : SPILL,
    });
  }

  /**
   * The chain with one more image below.
   * @throws CalveError `invalid` when the image is in the chain already, or the chain too deep; `not-found`
   */
  enter(path: string): Chain {
    const resolved = resolveLinks(path);
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
    return new Chain(ancestors, this.maxDepth, this.budgets);
  }
}

/** Synchronous, as all of opening that is not long: the thread pool costs more than the call. */
function resolveLinks(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    throw systemError(`cannot open ${path}`, error);
  }
}
