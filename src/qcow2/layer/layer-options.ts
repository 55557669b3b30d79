import type { Disk, Extent } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { type Codec, checkLevel, DEFAULT_LEVEL } from '../compression/compress-cluster.ts';
import { ENTRY_SIZE, MAX_CLUSTER_BITS, MAX_L1_BYTES, MIN_CLUSTER_BITS } from '../constants.ts';

/** What a layer is written from, and how. Sizes and offsets are bytes. */
export interface LayerOptions {
  /** The virtual disk's size, a multiple of 512. */
  readonly size: number;
  /** A power of two from 512 to 2 MiB (default 65536). */
  readonly clusterSize?: number | undefined;
  /** The parent layer's digest in bare hex; goes with `parent`. */
  readonly backingFile?: string | undefined;
  /** What the layer stands on: what is equal to it is left out. It may be shorter or longer than `size`. */
  readonly parent?: Disk | undefined;
  /** What the layer with its parent reads; zeros past its end. It must not change meanwhile: parts are read twice. */
  readonly source: Disk;
  /**
   * Where `source` may differ from `parent`, in ascending order; overlaps do no harm. Everywhere else the two are
   * taken to be equal. What is not `data` is not read. Without a parent: the extents of all of `source`.
   */
  readonly ranges: AsyncIterable<Extent>;
  readonly compression: 'zstd' | 'deflate' | 'none';
  /** zstd 1 to 22 (default 3), deflate 1 to 9 (default 6). */
  readonly level?: number | undefined;
  /**
   * The most bytes of the file (default: no bound). The layer ends ahead of the first cluster with which it might
   * have more, a few clusters below the bound at most; what comes after it is for the next layer.
   */
  readonly maxFileSize?: number | undefined;
  /** Threads that compress, at most (default one for each core, up to three). */
  readonly threads?: number | undefined;
  /** Ends the work; nothing stays behind. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the guest offset that was reached, of the disk's size; last when all is written. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** What became of the clusters that were looked at. */
export interface LayerSummary {
  /** `sha256:` and the hex digest of the file's bytes. */
  readonly digest: string;
  /** Bytes. */
  readonly fileSize: number;
  /** Guest clusters that hold data, shared ones included. */
  readonly dataClusters: number;
  /** Guest clusters that read zeros where the parent does not. */
  readonly zeroClusters: number;
  /** Those of `dataClusters` whose data an earlier cluster has already. */
  readonly sharedClusters: number;
  /** Guest clusters in `ranges` that were left out, because they read as the parent does. */
  readonly equalClusters: number;
  /** Those of `equalClusters` that hold data: what the parent spares the layer. */
  readonly equalDataClusters: number;
}

/** A layer that ends where the next one begins. */
export interface LayerPart {
  readonly summary: LayerSummary;
  /** The guest offset up to which `ranges` went into the layer: `size`, unless `maxFileSize` came first. */
  readonly end: number;
}

/** The measures of a layer that is being written. */
export interface LayerGeometry {
  /** Bytes of the virtual disk. */
  readonly size: number;
  readonly clusterSize: number;
  readonly clusterBits: number;
  /** Entries of an L2 table: guest clusters that it maps. */
  readonly tableEntries: number;
  /** Entries of the L1 table. */
  readonly l1Size: number;
}

const SECTOR = 512;
const DEFAULT_CLUSTER_SIZE = 65536;

/**
 * The measures that follow from checked options.
 * @throws CalveError `out-of-range` or `usage`, naming the option
 */
export function layerGeometry(options: LayerOptions): LayerGeometry {
  const { size, clusterSize = DEFAULT_CLUSTER_SIZE, threads = 1 } = options;
  const clusterBits = Math.log2(clusterSize);
  const isClusterSize = Number.isInteger(clusterBits) && clusterBits >= MIN_CLUSTER_BITS;
  check(
    isClusterSize && clusterBits <= MAX_CLUSTER_BITS,
    'clusterSize',
    'a power of two from 512 to 2 MiB',
    clusterSize,
  );
  const tableEntries = clusterSize / ENTRY_SIZE;
  const largest = Math.min(Number.MAX_SAFE_INTEGER, (MAX_L1_BYTES / ENTRY_SIZE) * tableEntries * clusterSize);
  check(Number.isInteger(size) && size >= 0 && size % SECTOR === 0, 'size', 'a multiple of 512', size);
  check(size <= largest, 'size', `at most ${largest} with clusters of ${clusterSize}`, size);
  check(Number.isInteger(threads) && threads >= 1, 'threads', '1 or more', threads);
  checkParent(options);
  return {
    size,
    clusterSize,
    clusterBits,
    tableEntries,
    l1Size: Math.ceil(size / (tableEntries * clusterSize)),
  };
}

/**
 * How the layer's clusters are compressed; undefined if they are not.
 * @throws CalveError `usage`
 */
export function layerCodec(options: LayerOptions, clusterSize: number): Codec | undefined {
  const { compression, level } = options;
  if (compression === 'none') return undefined;
  if (!Object.hasOwn(DEFAULT_LEVEL, compression)) {
    throw new CalveError('usage', `compression: expected zstd, deflate or none, got ${compression}`);
  }
  const codec = { compression, level: level ?? DEFAULT_LEVEL[compression], clusterSize };
  checkLevel(compression, codec.level);
  return codec;
}

/** A layer that names a parent it was not compared with, or the other way round, would read as something else. */
function checkParent({ parent, backingFile }: LayerOptions): void {
  if ((parent === undefined) !== (backingFile === undefined)) {
    throw new CalveError('usage', 'expected a parent disk and its backing file name, got one of the two');
  }
  if (backingFile === undefined || /^[0-9a-f]{64}$/.test(backingFile)) return;
  throw new CalveError(
    'usage',
    `backingFile: expected the 64 hex digits of a layer's digest, got ${backingFile}`,
  );
}

function check(holds: boolean, option: string, expected: string, got: number): void {
  if (holds) return;
  throw new CalveError('out-of-range', `${option}: expected ${expected}, got ${got}`, {
    data: { option, value: got },
  });
}
