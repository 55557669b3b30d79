import type { MeasureOptions } from '../../../qcow2/index.ts';
import { createOptions } from '../creating/create-option.ts';
import { encryptionOptions } from '../creating/encryption-options.ts';
import { givenOptions } from '../creating/given-options.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError, messageOf } from '../img-error.ts';
import type { Secrets } from '../options/secrets.ts';

/** The image whose size is asked for. */
export interface MeasureTarget {
  readonly options: Omit<MeasureOptions, 'size'>;
  readonly clusterSize: number;
  /** All of its disk will have a place, whatever is written. */
  readonly isFull: boolean;
  /** It can have bitmaps. */
  readonly hasBitmaps: boolean;
}

const PREALLOCATIONS: readonly string[] = ['off', 'metadata', 'falloc', 'full'];

/**
 * Options of `-o` by name, those of the file included.
 * @throws CalveError in qemu-img's words
 */
export function measureOptions(
  format: string,
  options: string | undefined,
  { program }: Pick<ImgContext, 'program'>,
): Map<string, string> {
  try {
    return givenOptions(options, createOptions(format, 'file'));
  } catch (error) {
    throw imgError(messageOf(error), {
      more: `${program}: Invalid options for file format '${format}'`,
      cause: error,
    });
  }
}

/**
 * Checks what of the options decides a size, as QEMU does: other ones may be anything.
 * @throws CalveError in qemu-img's words
 */
export function measureTarget(given: ReadonlyMap<string, string>, secrets: Secrets): MeasureTarget {
  const clusterSize = Number(given.get('cluster_size'));
  const extendedL2 = given.get('extended_l2') === 'on';
  const isPower = (value: number) => value > 0 && Number.isInteger(Math.log2(value));
  if (!isPower(clusterSize) || clusterSize < 512 || clusterSize > 2 * 1024 ** 2) {
    throw imgError('Cluster size must be a power of two between 512 and 2048k');
  }
  if (extendedL2 && clusterSize < 16_384) {
    throw imgError('Extended L2 entries are only supported with cluster sizes of at least 16384 bytes');
  }
  const preallocation = given.get('preallocation') ?? 'off';
  if (!PREALLOCATIONS.includes(preallocation)) throw imgError(`invalid parameter value: ${preallocation}`);
  const version = versionOf(given.get('compat'));
  const refcountBits = Number(given.get('refcount_bits'));
  if (!isPower(refcountBits) || refcountBits > 64) {
    throw imgError('Refcount width must be a power of two and may not exceed 64 bits');
  }
  if (version < 3 && refcountBits !== 16) {
    throw imgError(
      'Different refcount widths than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)',
    );
  }
  const encryption = given.get('encrypt.format') === 'luks' ? encryptionOptions(given, secrets) : undefined;
  const luks = encryption?.method === 'luks' ? encryption : undefined;
  return {
    // Of the version nothing but the refcounts' width makes a difference.
    options: { clusterSize, refcountBits, extendedL2, luks },
    clusterSize,
    isFull: preallocation === 'falloc' || preallocation === 'full' || given.has('backing_file'),
    hasBitmaps: version >= 3,
  };
}

function versionOf(compat: string | undefined): 2 | 3 {
  if (compat === '0.10' || compat === 'v2') return 2;
  if (compat === undefined || compat === '1.1' || compat === 'v3') return 3;
  throw imgError(`Invalid compatibility level: '${compat}'`);
}
