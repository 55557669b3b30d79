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
   * Counts what refers to a range, never empty. One that the file does not have is told and not counted.
   */
  addRange(
    structure: Structure,
    offset: number,
    length: number,
    times: number,
    describe: () => FindingPlace,
  ): void {
    const { clusterSize, fileEnd } = this.#geometry;
    if (isPastEnd(offset, length, this.#geometry)) {
      if (!this.tells) return;
      this.#log.add('past-end', times, () => ({
        structure,
        hostOffset: offset,
        ...describe(),
        expected: `${length} bytes within ${fileEnd}`,
        got: `${length} bytes at ${offset}`,
      }));
      return;
    }
    const firstCluster = Math.floor(offset / clusterSize);
    const lastCluster = Math.floor((offset + length - 1) / clusterSize);
    this.addClusters({ structure, firstCluster, lastCluster, times });
  }

  /** Counts what refers to clusters. */
  addClusters({ structure, firstCluster, lastCluster, times }: StructureRange): void {
    const bit = STRUCTURES[structure];
    const last = Math.min(lastCluster, this.counts.end - 1);
    for (let cluster = Math.max(firstCluster, this.counts.first); cluster <= last; cluster += 1) {
      this.counts.add(cluster, bit, times);
    }
  }

  /** Notes the COPIED flag of the active disk's reference to the cluster that `offset` lies in. */
  noteCopied(offset: number, copied: boolean): void {
    const cluster = Math.floor(offset / this.#geometry.clusterSize);
    if (cluster >= this.#geometry.clusters) this.strays = true;
    else this.counts.add(cluster, copied ? REFERRED_COPIED : REFERRED_NOT_COPIED, 0);
  }
}
