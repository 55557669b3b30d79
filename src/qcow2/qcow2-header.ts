import type { COMPRESSION_TYPES, CRYPT_METHODS } from './constants.ts';
import type { FeatureName } from './feature-names.ts';
import type { HeaderExtension } from './header-extensions.ts';
import type { AutoclearFeatures, CompatibleFeatures, IncompatibleFeatures } from './header-fields.ts';

/** How encrypted clusters are encrypted. */
export type CryptMethod = (typeof CRYPT_METHODS)[number];
/** How compressed clusters are compressed; `zlib` is a raw deflate stream. */
export type CompressionType = (typeof COMPRESSION_TYPES)[number];

/** What the first cluster of an image says, checked. Offsets and lengths are bytes, in the image file. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  /** The virtual disk's bytes, a multiple of 512. */
  readonly size: number;
  readonly clusterBits: number;
  /** 2 to the power of `clusterBits`. */
  readonly clusterSize: number;
  /** Entries of the active L1 table. */
  readonly l1Size: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  /** The width of a refcount: 1, 2, 4, 8, 16, 32 or 64. */
  readonly refcountBits: number;
  readonly snapshotCount: number;
  readonly snapshotsOffset: number;
  readonly cryptMethod: CryptMethod;
  readonly incompatible: IncompatibleFeatures;
  readonly compatible: CompatibleFeatures;
  readonly autoclear: AutoclearFeatures;
  readonly headerLength: number;
  readonly compressionType: CompressionType;
  /** As the image names it; nothing opens a file because of it, short of a backing policy. */
  readonly backingFile?: string;
  readonly backingFormat?: string;
  /** Those that have no field of their own here, in order. */
  readonly extensions: readonly HeaderExtension[];
  readonly featureNames: readonly FeatureName[];
  /** The header's bytes behind the compression type, for which no specification has a name yet. */
  readonly additionalFields: Uint8Array;
}
