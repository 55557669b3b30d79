import { CalveError } from '../errors/index.ts';
import {
  COMPRESSION_TYPES,
  ENTRY_SIZE,
  HEADER_LENGTH_COMPRESSION_TYPE,
  HEADER_LENGTH_V2,
  MAX_BACKING_FILE_NAME,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_REFCOUNT_ORDER,
  MIN_CLUSTER_BITS,
  MIN_CLUSTER_SIZE_FEATURE_NAMES,
  REFCOUNT_ORDER_V2,
} from './constants.ts';
import { FEATURE_NAMES } from './feature-names.ts';
import { encodeHeader } from './header.ts';
import type { CompressionType } from './qcow2-header.ts';
import { writeRefcount } from './refcount-entry.ts';

/** What a new image is like. */
export interface EmptyImageOptions {
  /** The virtual disk's bytes, a multiple of 512. */
  readonly size: number;
  /** Bytes, a power of two from 512 to 2 MiB (default 65536). */
  readonly clusterSize?: number;
  /** Default 3. */
  readonly version?: 2 | 3;
  /** Width of a refcount: 1, 2, 4, 8, 16, 32 or 64 (default 16, and nothing else in version 2). */
  readonly refcountBits?: number;
  /** Written into the header as it is, and never opened. */
  readonly backingFile?: string;
  /** Goes with `backingFile`, as nobody should have to guess. */
  readonly backingFormat?: string;
  /** Of clusters that are compressed later (default zlib, and nothing else in version 2). */
  readonly compressionType?: CompressionType;
}

/** An image's file as the few parts of it that are not zeros. Offsets and lengths are bytes. */
export interface EmptyImage {
  /** The file's length. */
  readonly length: number;
  /** In the order of the file. */
  readonly parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/**
 * A fresh image: header, refcount table, refcount blocks, L1 table, each on clusters of its own and in this order, as
 * QEMU lays it out. The file ends with the L1 table, inside its last cluster.
 * @throws CalveError `out-of-range` or `usage`, naming the option
 */
export function layOutEmptyImage(options: EmptyImageOptions): EmptyImage {
  const { size, clusterSize = 65_536, version = 3, compressionType = 'zlib' } = options;
  const refcountBits = options.refcountBits ?? 2 ** REFCOUNT_ORDER_V2;
  checkOptions({ ...options, clusterSize, version, refcountBits, compressionType });
  const l1Size = Math.ceil(size / ((clusterSize / ENTRY_SIZE) * clusterSize));
  if (l1Size * ENTRY_SIZE > MAX_L1_BYTES) {
    const most = (MAX_L1_BYTES / ENTRY_SIZE) * (clusterSize / ENTRY_SIZE) * clusterSize;
    throw new CalveError(
      'out-of-range',
      `size: expected at most ${most} with this cluster size, got ${size}`,
    );
  }
  const l1Clusters = Math.ceil((l1Size * ENTRY_SIZE) / clusterSize);
  const { tableClusters, blocks, clusters } = measureRefcounts(1 + l1Clusters, clusterSize, refcountBits);
  const l1Offset = l1Size === 0 ? 0 : (clusters - l1Clusters) * clusterSize;
  const header = encodeHeader({
    version,
    size,
    clusterBits: Math.log2(clusterSize),
    clusterSize,
    l1Size,
    l1Offset,
    refcountTableOffset: clusterSize,
    refcountTableClusters: tableClusters,
    refcountBits,
    snapshotCount: 0,
    snapshotsOffset: 0,
    cryptMethod: 'none',
    incompatible: new Set(compressionType === 'zlib' ? [] : ['compression type' as const]),
    compatible: new Set(),
    autoclear: new Set(),
    headerLength: version === 2 ? HEADER_LENGTH_V2 : HEADER_LENGTH_COMPRESSION_TYPE,
    compressionType,
    ...(options.backingFile === undefined ? {} : { backingFile: options.backingFile }),
    ...(options.backingFormat === undefined ? {} : { backingFormat: options.backingFormat }),
    extensions: [],
    featureNames: version === 3 && clusterSize >= MIN_CLUSTER_SIZE_FEATURE_NAMES ? FEATURE_NAMES : [],
    additionalFields: new Uint8Array(),
  });
  const firstBlock = (1 + tableClusters) * clusterSize;
  return {
    length: l1Size === 0 ? clusters * clusterSize : l1Offset + l1Size * ENTRY_SIZE,
    parts: [
      { offset: 0, bytes: header },
      { offset: clusterSize, bytes: encodeTable(blocks, firstBlock, clusterSize) },
      { offset: firstBlock, bytes: encodeCounts(clusters, refcountBits) },
    ],
  };
}

/**
 * The whole file of a fresh image in one buffer, for whoever makes many. Options and errors as `layOutEmptyImage`.
 *
 * @example
 * await writeFile('env.qcow2', encodeEmptyImage({ size, backingFile: 'base.qcow2', backingFormat: 'qcow2' }));
 */
export function encodeEmptyImage(options: EmptyImageOptions): Uint8Array {
  const { length, parts } = layOutEmptyImage(options);
  const file = new Uint8Array(length);
  for (const { offset, bytes } of parts) file.set(bytes, offset);
  return file;
}

/** The refcount structures count themselves, so their number is found by trying. */
function measureRefcounts(
  others: number,
  clusterSize: number,
  refcountBits: number,
): { tableClusters: number; blocks: number; clusters: number } {
  const blockEntries = (clusterSize * 8) / refcountBits;
  let blocks = 1;
  let tableClusters = 1;
  while (true) {
    const clusters = others + tableClusters + blocks;
    const neededBlocks = Math.ceil(clusters / blockEntries);
    const neededTableClusters = Math.ceil((neededBlocks * ENTRY_SIZE) / clusterSize);
    if (neededBlocks === blocks && neededTableClusters === tableClusters) {
      return { tableClusters, blocks, clusters };
    }
    blocks = neededBlocks;
    tableClusters = neededTableClusters;
  }
}

function encodeTable(blocks: number, firstBlock: number, clusterSize: number): Uint8Array {
  const table = Buffer.alloc(blocks * ENTRY_SIZE);
  for (let index = 0; index < blocks; index += 1) {
    table.writeBigUInt64BE(BigInt(firstBlock + index * clusterSize), index * ENTRY_SIZE);
  }
  return table;
}

/** Blocks lie one after the other, so that their counts do too: a one for each cluster. */
function encodeCounts(clusters: number, refcountBits: number): Uint8Array {
  const counts = new Uint8Array(Math.ceil((clusters * refcountBits) / 8));
  const view = new DataView(counts.buffer);
  for (let cluster = 0; cluster < clusters; cluster += 1) writeRefcount(view, cluster, refcountBits, 1);
  return counts;
}

function checkOptions(
  options: EmptyImageOptions & Required<Pick<EmptyImageOptions, 'clusterSize' | 'version' | 'refcountBits'>>,
): void {
  const { size, version, refcountBits, backingFile, backingFormat } = options;
  const clusterBits = Math.log2(options.clusterSize);
  check(Number.isSafeInteger(size) && size >= 0 && size % 512 === 0, 'size', 'a multiple of 512', size);
  const clusterIsRight =
    Number.isInteger(clusterBits) && clusterBits >= MIN_CLUSTER_BITS && clusterBits <= MAX_CLUSTER_BITS;
  check(clusterIsRight, 'clusterSize', 'a power of two from 512 to 2 MiB', options.clusterSize);
  check(version === 2 || version === 3, 'version', '2 or 3', version);
  const order = Math.log2(refcountBits);
  const orderIsRight = Number.isInteger(order) && order >= 0 && order <= MAX_REFCOUNT_ORDER;
  check(orderIsRight, 'refcountBits', '1, 2, 4, 8, 16, 32 or 64', refcountBits);
  check(version === 3 || order === REFCOUNT_ORDER_V2, 'refcountBits', '16 in version 2', refcountBits);
  const type = options.compressionType ?? 'zlib';
  check(COMPRESSION_TYPES.includes(type), 'compressionType', 'zlib or zstd', type);
  check(version === 3 || type === 'zlib', 'compressionType', 'zlib in version 2', type);
  const named = (backingFile === undefined) === (backingFormat === undefined);
  if (!named) throw new CalveError('usage', 'expected a backing file and its format, got one of the two');
  const nameLength = Buffer.byteLength(backingFile ?? '');
  check(
    nameLength <= MAX_BACKING_FILE_NAME,
    'backingFile',
    `at most ${MAX_BACKING_FILE_NAME} bytes`,
    nameLength,
  );
}

function check(holds: boolean, option: string, expected: string, got: number | string): void {
  if (holds) return;
  throw new CalveError('out-of-range', `${option}: expected ${expected}, got ${got}`, {
    data: { option, value: got },
  });
}
