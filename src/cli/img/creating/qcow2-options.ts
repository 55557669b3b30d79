import type { CreateOptions } from '../../../qcow2/index.ts';
import { imgError } from '../img-error.ts';
import type { Secrets } from '../options/secrets.ts';
import { encryptionOptions } from './encryption-options.ts';

const SECTOR = 512;
const NEEDS_V3 = 'compatibility level 1.1 and above (use version=v3 or greater)';
const PREALLOCATIONS = ['off', 'metadata', 'falloc', 'full'] as const;

/** Options of `-o` that are known by name and type, as the qcow2 room has them. */
type QcowOptions = Omit<CreateOptions, 'overwrite' | 'overwriteDataFile' | 'sync' | 'signal'>;

/**
 * Checks the options of a new qcow2 image in the order in which QEMU does.
 * @throws CalveError in qemu-img's words
 */
export function qcow2Options(given: ReadonlyMap<string, string>, secrets: Secrets): QcowOptions {
  const version = versionOf(given.get('compat'));
  const compressionType = oneOf(['zlib', 'zstd'] as const, 'compression-type', given.get('compression_type'));
  const preallocation = oneOf(PREALLOCATIONS, 'preallocation', given.get('preallocation') ?? 'off');
  const encryption = encryptionOptions(given, secrets);
  const size = Math.ceil(Number(given.get('size')) / SECTOR) * SECTOR;
  const isOn = (name: string) => given.get(name) === 'on';
  const number = (name: string) => Number(given.get(name));
  const [backingFile, backingFormat] = [given.get('backing_file'), given.get('backing_fmt')];
  const dataFile = given.get('data_file');
  const clusterSize = number('cluster_size');
  const extendedL2 = isOn('extended_l2');
  const refuse = (isWrong: boolean, message: string) => {
    if (isWrong) throw imgError(message);
  };
  refuse(
    !isPowerOfTwo(clusterSize) || clusterSize < 512 || clusterSize > 2 * 1024 ** 2,
    'Cluster size must be a power of two between 512 and 2048k',
  );
  refuse(extendedL2 && version < 3, `Extended L2 entries are only supported with ${NEEDS_V3}`);
  refuse(
    extendedL2 && clusterSize < 16_384,
    'Extended L2 entries are only supported with cluster sizes of at least 16384 bytes',
  );
  refuse(
    preallocation !== 'off' && backingFile !== undefined && !extendedL2,
    'Backing file and preallocation can only be used at the same time if extended_l2 is on',
  );
  refuse(
    backingFile === undefined && backingFormat !== undefined,
    'Backing format cannot be used without backing file',
  );
  const lazyRefcounts = isOn('lazy_refcounts');
  refuse(lazyRefcounts && version < 3, `Lazy refcounts only supported with ${NEEDS_V3}`);
  const refcountBits = number('refcount_bits');
  refuse(
    !isPowerOfTwo(refcountBits) || refcountBits > 64,
    'Refcount width must be a power of two and may not exceed 64 bits',
  );
  refuse(
    version < 3 && refcountBits !== 16,
    'Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)',
  );
  const dataFileRaw = isOn('data_file_raw');
  refuse(dataFileRaw && dataFile === undefined, 'data-file-raw requires data-file');
  refuse(
    dataFileRaw && backingFile !== undefined,
    'Backing file and data-file-raw cannot be used at the same time',
  );
  refuse(dataFile !== undefined && version < 3, `External data files are only supported with ${NEEDS_V3}`);
  refuse(
    compressionType !== 'zlib' && version < 3,
    `Non-zlib compression type is only supported with ${NEEDS_V3}`,
  );
  refuse(
    !Number.isSafeInteger(size),
    "The image size is too large for file format 'qcow2' (try using a larger cluster size)",
  );
  return {
    size,
    version,
    clusterSize,
    refcountBits,
    compressionType,
    lazyRefcounts,
    extendedL2,
    preallocation,
    ...(backingFile !== undefined && { backingFile }),
    ...(backingFormat !== undefined && { backingFormat }),
    ...(dataFile !== undefined && { dataFile, dataFileRaw }),
    ...(encryption && { encryption }),
  };
}

/** @throws CalveError in qemu-img's words */
function versionOf(compat: string | undefined): 2 | 3 {
  if (compat === undefined || compat === '1.1' || compat === 'v3') return 3;
  if (compat === '0.10' || compat === 'v2') return 2;
  throw imgError(`Parameter 'version' does not accept value '${compat}'`);
}

function oneOf<Value extends string>(
  values: readonly Value[],
  parameter: string,
  given: string | undefined,
): Value {
  const found = values.find((value) => value === given);
  if (found !== undefined) return found;
  throw imgError(`Parameter '${parameter}' does not accept value '${given}'`);
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}
