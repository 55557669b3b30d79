import type { CheckGeometry } from './check-geometry.ts';
import type { FindingPlace } from './finding.ts';
import type { FindingLog } from './finding-log.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import { REFERRED_COPIED, REFERRED_NOT_COPIED, STRUCTURES, type Structure } from './structure.ts';
import { isPastEnd, type StructureRange } from './structure-ranges.ts';

/** Counts ranges of the file into the clusters of a window, and tells of those that the file does not have. */
export class ReferenceCounter {
  readonly counts: ReferenceCounts;
  /** Whether this is the window in which what belongs to no window is told. */
  readonly tells: boolean;
  /** Whether an entry of the active disk leads to where no count is kept of it. */
  strays = false;
  readonly #geometry: CheckGeometry;
  readonly #log: FindingLog;

  constructor(counts: ReferenceCounts, geometry: CheckGeometry, log: FindingLog, tells: boolean) {
    this.counts = counts;
    this.#geometry = geometry;
    this.#log = log;
    this.tells = tells;
  }

  /**
   * Counts what refers to a range, never empty.
   * @returns false when the file does not have the range, which is not counted and left to `tellPastEnd`
   */
  addRange(structure: Structure, offset: number, length: number, times: number): boolean {
    if (isPastEnd(offset, length, this.#geometry)) return false;
    const { clusterSize } = this.#geometry;
    const first = Math.floor(offset / clusterSize);
    this.#add(STRUCTURES[structure], first, Math.floor((offset + length - 1) / clusterSize), times);
    return true;
  }

  /** Tells of a range that the file does not have. */
  tellPastEnd(
    structure: Structure,
    offset: number,
    length: number,
    times: number,
    describe: () => FindingPlace,
  ): void {
    if (!this.tells) return;
    this.#log.add('past-end', times, () => ({
      structure,
      hostOffset: offset,
      ...describe(),
      expected: `${length} bytes within ${this.#geometry.fileEnd}`,
      got: `${length} bytes at ${offset}`,
    }));
  }

  /** Counts what refers to clusters. */
  addClusters({ structure, firstCluster, lastCluster, times }: StructureRange): void {
    this.#add(STRUCTURES[structure], firstCluster, lastCluster, times);
  }

  /** Notes the COPIED flag of the active disk's reference to the cluster that `offset` lies in. */
  noteCopied(offset: number, copied: boolean): void {
    const cluster = Math.floor(offset / this.#geometry.clusterSize);
    if (cluster >= this.#geometry.clusters) this.strays = true;
    else this.counts.add(cluster, copied ? REFERRED_COPIED : REFERRED_NOT_COPIED, 0);
  }

  #add(bit: number, first: number, last: number, times: number): void {
    const end = Math.min(last + 1, this.counts.end);
    for (let cluster = Math.max(first, this.counts.first); cluster < end; cluster += 1) {
      this.counts.add(cluster, bit, times);
    }
  }
}
