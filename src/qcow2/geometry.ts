import { ENTRY_SIZE, SUBCLUSTERS } from './constants.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** The measures that follow from a header. Sizes are bytes. All but the disk's size stay while the image is open. */
export interface Geometry {
  readonly version: 2 | 3;
  /** The virtual disk's bytes. */
  size: number;
  readonly clusterBits: number;
  readonly clusterSize: number;
  /** Bytes of an L2 entry: 8, or 16 of an extended one. */
  readonly entryBytes: number;
  /** Entries of an L2 table, which is one cluster. */
  readonly tableEntries: number;
  /** Parts of a cluster that are mapped each for itself: 32 with extended L2 entries, else 1. */
  readonly subclusters: number;
  readonly subclusterSize: number;
  /** Guest data lies in a file of its own, each cluster where the guest has it. */
  readonly dataFile: boolean;
  /** Guest bytes that one L2 table maps. */
  readonly tableCovers: number;
  /** Width of a refcount. */
  readonly refcountBits: number;
  /** Refcounts in a refcount block, which is one cluster. */
  readonly blockEntries: number;
}

/** The measures of the image that a header describes. */
export function geometryOf(header: Qcow2Header): Geometry {
  const { version, size, clusterBits, clusterSize, refcountBits } = header;
  const extended = header.incompatible.has('extended L2 entries');
  const entryBytes = extended ? 2 * ENTRY_SIZE : ENTRY_SIZE;
  const subclusters = extended ? SUBCLUSTERS : 1;
  const tableEntries = clusterSize / entryBytes;
  return {
    version,
    size,
    clusterBits,
    clusterSize,
    entryBytes,
    tableEntries,
    subclusters,
    subclusterSize: clusterSize / subclusters,
    dataFile: header.incompatible.has('external data file'),
    tableCovers: tableEntries * clusterSize,
    refcountBits,
    blockEntries: (clusterSize * 8) / refcountBits,
  };
}
