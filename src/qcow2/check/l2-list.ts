import type { CheckGeometry } from './check-geometry.ts';

/** Where an L2 table was found: the first place that leads to it. */
export interface L2Origin {
  readonly snapshot: number | undefined;
  readonly l1Index: number;
}

/** An origin as findings name it. */
export function originPlace({ snapshot, l1Index }: L2Origin): { snapshot?: number; l1Index: number } {
  return snapshot === undefined ? { l1Index } : { snapshot, l1Index };
}

/**
 * Every L2 table of an image, once, in the order of the file, with how many ways lead to it: a table is read once,
 * and what is found in it counts as often as it is referred to.
 */
export class L2List {
  /** Host offsets, ascending. They need not be aligned, nor in the file. */
  readonly offsets: Float64Array;
  /** References from all L1 tables. */
  readonly times: Uint32Array;
  /** References from the active L1 table with COPIED set, and with COPIED clear. */
  readonly copied: Uint32Array;
  readonly notCopied: Uint32Array;
  /**
   * Positions of the tables whose entries count: those in the file, at a cluster. What lies behind the file reads
   * zeros, and where no table can be, there are no entries to read; so all tables together are no longer than the file.
   */
  readonly followed: Uint32Array;
  /** Their host offsets. */
  readonly followedOffsets: Float64Array;
  readonly #origins: Uint32Array;
  readonly #snapshots: Int32Array;

  constructor(offsets: Float64Array, { clusterSize, fileEnd }: CheckGeometry) {
    const isFollowed = (offset: number) => offset % clusterSize === 0 && offset < fileEnd;
    this.offsets = offsets;
    this.followedOffsets = offsets.filter(isFollowed);
    this.followed = new Uint32Array(this.followedOffsets.length);
    let next = 0;
    offsets.forEach((offset, index) => {
      if (isFollowed(offset)) this.followed[next++] = index;
    });
    this.times = new Uint32Array(offsets.length);
    this.copied = new Uint32Array(offsets.length);
    this.notCopied = new Uint32Array(offsets.length);
    this.#origins = new Uint32Array(offsets.length);
    this.#snapshots = new Int32Array(offsets.length);
  }

  /**
   * Counts a reference to the table at `offset`, which must be among the offsets.
   * @param active with or without COPIED for the active L1 table, undefined for a snapshot's alone
   */
  refer(offset: number, times: number, active: boolean | undefined, origin: L2Origin): void {
    const index = this.indexOf(offset);
    // An origin in the active table says more than one in a snapshot.
    const first = this.times[index] === 0;
    const firstActive = active !== undefined && this.activeTimes(index) === 0;
    if (first || firstActive) {
      this.#origins[index] = origin.l1Index;
      this.#snapshots[index] = origin.snapshot ?? -1;
    }
    this.times[index] = (this.times[index] ?? 0) + times;
    if (active === true) this.copied[index] = (this.copied[index] ?? 0) + 1;
    if (active === false) this.notCopied[index] = (this.notCopied[index] ?? 0) + 1;
  }

  /** References from the active L1 table. */
  activeTimes(index: number): number {
    return (this.copied[index] ?? 0) + (this.notCopied[index] ?? 0);
  }

  origin(index: number): L2Origin {
    const snapshot = this.#snapshots[index] ?? -1;
    return { snapshot: snapshot < 0 ? undefined : snapshot, l1Index: this.#origins[index] ?? 0 };
  }

  /** Position of an offset in the list, by halving. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.offsets.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.offsets[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
