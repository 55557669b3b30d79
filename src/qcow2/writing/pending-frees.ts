import { CalveError } from '../../errors/index.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { Allocator } from './allocator.ts';

/** One reference less on each of some clusters in a row. */
interface Free {
  readonly first: number;
  count: number;
  readonly options: FreeOptions;
}

/** What is known of clusters that something pointed at. */
export interface FreeOptions {
  /** Their entries carry the COPIED flag, as those of compressed clusters do not. */
  readonly flagged: boolean;
  /** Storage goes back to the host where nothing else uses them. */
  readonly punch: boolean;
}

/**
 * References that were taken out of the tables in memory. Only when the tables on disk do not hold them any more are
 * refcounts lowered, so that clusters can be given away again (trap 24).
 *
 * A cluster that two entries of the active table share is left with a refcount of two when one of them goes: the other
 * would need its COPIED flag at the very moment when the refcount becomes one (trap 26), two writes that no disk makes
 * at once; the count of two is a leak at worst. With internal snapshots the other entry is theirs, and needs none.
 */
export class PendingFrees {
  readonly #file: ImageFile;
  readonly #clusterSize: number;
  readonly #allocator: Allocator;
  readonly #header: ImageHeader;
  #frees: Free[] = [];

  constructor(file: ImageFile, clusterSize: number, allocator: Allocator, header: ImageHeader) {
    this.#file = file;
    this.#clusterSize = clusterSize;
    this.#allocator = allocator;
    this.#header = header;
  }

  get empty(): boolean {
    return this.#frees.length === 0;
  }

  /** Runs of clusters that are waiting. */
  get length(): number {
    return this.#frees.length;
  }

  /** Every cluster that a range of the file touches, in bytes (trap 28). */
  add(offset: number, length: number, options: FreeOptions): void {
    const first = Math.floor(offset / this.#clusterSize);
    const count = Math.ceil((offset + length) / this.#clusterSize) - first;
    const last = this.#frees.at(-1);
    if (last && last.options === options && last.first + last.count === first) last.count += count;
    else this.#frees.push({ first, count, options });
  }

  /** To be called when the tables are durable: lowers the refcounts, once nobody is still reading there. */
  async apply(): Promise<void> {
    if (this.empty) return;
    await this.#file.inFlight.drained();
    const frees = this.#frees;
    this.#frees = [];
    const hasSnapshots = this.#header.current.snapshotCount > 0;
    try {
      for (const { first, count, options } of frees) {
        const free = await this.#allocator.release(first, count, options.flagged && !hasSnapshots);
        if (options.punch) for (const { offset, length } of free) this.#file.punchHole(offset, length);
      }
    } catch (error) {
      // What is not released is a leak; but a cluster in use that counted as free may have been given away twice.
      if (CalveError.is(error, 'corrupt')) this.#file.fail(error);
      throw error;
    }
  }
}
