import { CalveError } from '../../errors/index.ts';
import {
  COMPRESSION_TYPES,
  ENTRY_SIZE,
  MAX_BACKING_FILE_NAME,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_REFCOUNT_ORDER,
  MIN_CLUSTER_BITS,
  MIN_CLUSTER_BITS_EXTENDED_L2,
  REFCOUNT_ORDER_V2,
} from '../constants.ts';
import type { CompressionType } from '../qcow2-header.ts';

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
  /** Refcounts are written when there is time, and rebuilt after a crash (default false; not in version 2). */
  readonly lazyRefcounts?: boolean;
  /** Clusters in 32 parts, each mapped for itself (default false; not in version 2, nor under 16 KiB clusters). */
  readonly extendedL2?: boolean;
}

/**
 * How much of a disk has its place from the start, by QEMU's names:
 * - `off`: nothing
 * - `metadata`: every cluster has its place in the file, which has holes there
 * - `falloc`: the host keeps storage for it, too
 * - `full`: zeros are written there
 */
export type Preallocation = 'off' | 'metadata' | 'falloc' | 'full';

/** All that decides how the file of a new image is laid out. */
export interface ImageOptions extends EmptyImageOptions {
  /** The file that holds the guest's clusters in this one's place. */
  readonly dataFile?: string;
  /** Whether the data file reads as the disk on its own. */
  readonly dataFileRaw?: boolean;
  readonly preallocation?: Preallocation;
  /** How guest data is encrypted (default not). */
  readonly encryption?: 'luks' | 'aes' | undefined;
}

/** Image options that are found to be right, with what goes without saying. */
export type SettledOptions = ImageOptions &
  Required<Pick<ImageOptions, 'clusterSize' | 'version' | 'refcountBits' | 'compressionType'>> & {
    readonly preallocation: Preallocation;
    /** Bytes of an L2 entry. */
    readonly entryBytes: number;
    /** Entries of the L1 table, each for an L2 table. */
    readonly l1Size: number;
  };

const PREALLOCATIONS: readonly string[] = ['off', 'metadata', 'falloc', 'full'] satisfies Preallocation[];

/**
 * Checks the options of a new image, as QEMU does.
 * @throws CalveError `out-of-range` with `data.option`, or `usage`
 */
export function settleOptions(options: ImageOptions): SettledOptions {
  const { size, clusterSize = 65_536, version = 3, compressionType = 'zlib' } = options;
  const refcountBits = options.refcountBits ?? 2 ** REFCOUNT_ORDER_V2;
  // As a raw file the data file has a place for everything; QEMU says so in the tables from the start.
  const least = options.dataFileRaw ? 'metadata' : 'off';
  const { preallocation = 'off' } = options;
  const given = { ...options, clusterSize, version, refcountBits, compressionType };
  checkMeasures(given);
  checkVersion2(given);
  checkCombinations(given, preallocation);
  const entryBytes = options.extendedL2 ? 2 * ENTRY_SIZE : ENTRY_SIZE;
  const tableCovers = (clusterSize / entryBytes) * clusterSize;
  const l1Size = Math.ceil(size / tableCovers);
  if (l1Size * ENTRY_SIZE > MAX_L1_BYTES) {
    const most = (MAX_L1_BYTES / ENTRY_SIZE) * tableCovers;
    check(false, 'size', `at most ${most} with this cluster size`, size);
  }
  return { ...given, preallocation: preallocation === 'off' ? least : preallocation, entryBytes, l1Size };
}

type Given = ImageOptions &
  Pick<SettledOptions, 'clusterSize' | 'version' | 'refcountBits' | 'compressionType'>;

function checkMeasures(options: Given): void {
  const { size, version, clusterSize, compressionType: type } = options;
  const clusterBits = Math.log2(clusterSize);
  check(Number.isSafeInteger(size) && size >= 0 && size % 512 === 0, 'size', 'a multiple of 512', size);
  const clusterIsRight =
    Number.isInteger(clusterBits) && clusterBits >= MIN_CLUSTER_BITS && clusterBits <= MAX_CLUSTER_BITS;
  check(clusterIsRight, 'clusterSize', 'a power of two from 512 to 2 MiB', clusterSize);
  check(version === 2 || version === 3, 'version', '2 or 3', version);
  const order = Math.log2(options.refcountBits);
  const orderIsRight = Number.isInteger(order) && order >= 0 && order <= MAX_REFCOUNT_ORDER;
  check(orderIsRight, 'refcountBits', '1, 2, 4, 8, 16, 32 or 64', options.refcountBits);
  check(COMPRESSION_TYPES.includes(type), 'compressionType', 'zlib or zstd', type);
  const leastBits = options.extendedL2 ? MIN_CLUSTER_BITS_EXTENDED_L2 : MIN_CLUSTER_BITS;
  check(clusterBits >= leastBits, 'clusterSize', `at least ${2 ** leastBits} with extendedL2`, clusterSize);
}

/** What version 2 has no field for. */
function checkVersion2(options: Given): void {
  const { version, refcountBits, compressionType: type } = options;
  if (version === 3) return;
  check(refcountBits === 2 ** REFCOUNT_ORDER_V2, 'refcountBits', '16 in version 2', refcountBits);
  check(type === 'zlib', 'compressionType', 'zlib in version 2', type);
  for (const option of ['lazyRefcounts', 'extendedL2'] as const) {
    check(!options[option], option, 'false in version 2', 'true');
  }
  check(options.dataFile === undefined, 'dataFile', 'none in version 2', options.dataFile ?? '');
  // There is no zero flag that makes a place of which nothing is known read zeros under a cipher.
  const known = options.encryption === undefined || (options.preallocation ?? 'off') === 'off';
  check(known, 'preallocation', 'off for an encrypted image in version 2', options.preallocation ?? 'off');
}

function checkCombinations(options: Given, preallocation: Preallocation): void {
  const { backingFile, backingFormat, dataFile, dataFileRaw } = options;
  const named = (backingFile === undefined) === (backingFormat === undefined);
  if (!named) throw new CalveError('usage', 'expected a backing file and its format, got one of the two');
  const nameLength = Buffer.byteLength(backingFile ?? '');
  const atMost = `at most ${MAX_BACKING_FILE_NAME} bytes`;
  check(nameLength <= MAX_BACKING_FILE_NAME, 'backingFile', atMost, nameLength);
  check(dataFile !== '', 'dataFile', 'a name', '""');
  // As QEMU tells them apart: a colon ahead of any slash ends a protocol's name.
  const isFile = !/^[^/]*:/.test(dataFile ?? '');
  check(isFile, 'dataFile', 'the path of a file', JSON.stringify(dataFile));
  check(!dataFileRaw || dataFile !== undefined, 'dataFileRaw', 'a dataFile with it', 'none');
  check(
    !dataFileRaw || backingFile === undefined,
    'dataFileRaw',
    'no backing file with it',
    backingFile ?? '',
  );
  check(PREALLOCATIONS.includes(preallocation), 'preallocation', PREALLOCATIONS.join(', '), preallocation);
  const apart = preallocation === 'off' || backingFile === undefined || options.extendedL2 === true;
  check(apart, 'preallocation', 'off over a backing file, unless with extendedL2', preallocation);
}

function check(holds: boolean, option: string, expected: string, got: number | string): void {
  if (holds) return;
  throw new CalveError('out-of-range', `${option}: expected ${expected}, got ${got}`, {
    data: { option, value: got },
  });
}
