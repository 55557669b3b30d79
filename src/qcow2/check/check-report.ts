import type { CheckFinding } from './finding.ts';

/** What a check found. The counts are those that `qemu-img check --output=json` prints, by its names. */
export interface CheckReport {
  /** Contradictions that can cost data: anything above zero calls for a repair. */
  readonly corruptions: number;
  /** Host clusters that are in use by their refcount, and referred to fewer times: wasted space, and nothing worse. */
  readonly leaks: number;
  /** What could not be checked. While it is above zero the other counts are not the whole truth. */
  readonly checkErrors: number;
  /** Of a repair, what was mended; 0 of a check. */
  readonly corruptionsFixed: number;
  readonly leaksFixed: number;
  /** Guest clusters of the virtual disk. */
  readonly totalClusters: number;
  /** Guest clusters of the active disk that own a host cluster, or compressed data. */
  readonly allocatedClusters: number;
  /** Those that do not follow the one before in the file, compressed ones included. */
  readonly fragmentedClusters: number;
  readonly compressedClusters: number;
  /** Bytes: the end of the last host cluster in use. */
  readonly imageEndOffset: number;
  /** What the counts are made of, and notes that no count has; the first ones only, when there are many. */
  readonly findings: readonly CheckFinding[];
  /** How many findings there were beyond those. */
  readonly findingsLeftOut: number;
}

/** A check of the image as a repair left it, with what the repair mended. */
export interface RepairReport extends CheckReport {
  /** The check that the repair began with. */
  readonly before: CheckReport;
}
