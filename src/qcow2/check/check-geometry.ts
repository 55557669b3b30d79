import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE } from '../constants.ts';
import type { Qcow2Header } from '../qcow2-header.ts';

/** The measures that a check of one file goes by. Sizes are bytes. */
export interface CheckGeometry {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterSize: number;
  /** Of an L2 entry: 8, or 16 with subclusters. */
  readonly entryBytes: number;
  /** Entries of an L2 table. */
  readonly tableEntries: number;
  readonly subclusters: boolean;
  /** Guest data lies in a file of its own, at the guest's offsets, and is not refcounted. */
  readonly dataFile: boolean;
  /** What a guest cluster reads when nothing is said of it is not known to be zeros. */
  readonly backed: boolean;
  readonly refcountBits: number;
  /** Refcounts in a refcount block. */
  readonly blockEntries: number;
  /** The file's length. */
  readonly fileEnd: number;
  /** Host clusters in the file, the last of which may be cut short. */
  readonly clusters: number;
}

/** QEMU's limit, which bounds the work that a sparse file costs by its length alone. */
const MAX_CLUSTERS = 2 ** 31 - 1;

/** @throws CalveError `out-of-range` for a file of too many clusters */
export function checkGeometryOf(header: Qcow2Header, fileEnd: number): CheckGeometry {
  const { version, clusterBits, clusterSize, refcountBits, incompatible } = header;
  const clusters = Math.ceil(fileEnd / clusterSize);
  if (clusters > MAX_CLUSTERS) {
    throw new CalveError(
      'out-of-range',
      `expected a file of at most ${MAX_CLUSTERS} clusters of ${clusterSize} bytes, got ${fileEnd} bytes`,
      { data: { fileEnd, clusterSize } },
    );
  }
  const subclusters = incompatible.has('extended L2 entries');
  const entryBytes = subclusters ? 2 * ENTRY_SIZE : ENTRY_SIZE;
  return {
    version,
    clusterBits,
    clusterSize,
    entryBytes,
    tableEntries: clusterSize / entryBytes,
    subclusters,
    dataFile: incompatible.has('external data file'),
    backed: header.backingFile !== undefined,
    refcountBits,
    blockEntries: (clusterSize * 8) / refcountBits,
    fileEnd,
    clusters,
  };
}
