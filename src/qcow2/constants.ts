/** What the qcow2 specification (QEMU's docs/interop/qcow2.txt) fixes, each with the section it comes from. */

/** "Header": the first four bytes, `QFI` and 0xfb. */
export const MAGIC = 0x514649fb;

/** "Header": the length of a version 2 header, and the least of a version 3 one. */
export const HEADER_LENGTH_V2 = 72;
export const HEADER_LENGTH_V3 = 104;
/** "Additional fields": a header of at least this length has a compression type, padding included. */
export const HEADER_LENGTH_COMPRESSION_TYPE = 112;
/** "Additional fields": where the compression type lies. */
export const COMPRESSION_TYPE_OFFSET = 104;

/** "Header", cluster_bits: 512 bytes at least; the most is QEMU's limit, 2 MiB. */
export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
/** "Header", refcount_order: 64 bits wide at most; version 2 is always 16 bits wide. */
export const MAX_REFCOUNT_ORDER = 6;
export const REFCOUNT_ORDER_V2 = 4;
/** "Header", incompatible_features bit 4 and cluster_bits: 32 subclusters of 512 bytes at least. */
export const MIN_CLUSTER_BITS_EXTENDED_L2 = 14;

/** "Header", backing_file_size: the longest backing file name. */
export const MAX_BACKING_FILE_NAME = 1023;

/** "Header", incompatible_features: who does not know one that is set must not open the image. */
export const INCOMPATIBLE_BITS = {
  dirty: 0,
  corrupt: 1,
  'external data file': 2,
  'compression type': 3,
  'extended L2 entries': 4,
} as const;
/** "Header", compatible_features: can be ignored. */
export const COMPATIBLE_BITS = { 'lazy refcounts': 0 } as const;
/** "Header", autoclear_features: who writes without knowing one that is set clears it first. */
export const AUTOCLEAR_BITS = { bitmaps: 0, 'raw external data': 1 } as const;

/** "Header", crypt_method. */
export const CRYPT_METHODS = ['none', 'aes', 'luks'] as const;
/** "Additional fields", compression_type. */
export const COMPRESSION_TYPES = ['zlib', 'zstd'] as const;

/** "Header extensions": what each type holds. */
export const EXTENSION = {
  end: 0x00000000,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  bitmaps: 0x23852875,
  encryption: 0x0537be77,
  dataFile: 0x44415441,
} as const;

/** "Cluster mapping": the bytes of an L1 entry, and of a standard L2 entry; "Host cluster management": of a refcount table entry. */
export const ENTRY_SIZE = 8;

/** "Extended L2 Entries": the parts of a cluster. */
export const SUBCLUSTERS = 32;

/** "Feature name table": the bytes of an entry, and of the name in it. */
export const FEATURE_NAME_ENTRY = 48;
/** QEMU leaves the feature name table out where clusters are smaller, to leave room for the backing file name. */
export const MIN_CLUSTER_SIZE_FEATURE_NAMES = 8192;

/** QEMU's limits, which bound what a header can make a reader allocate. */
export const MAX_L1_BYTES: number = 32 * 1024 ** 2;
export const MAX_REFCOUNT_TABLE_BYTES: number = 8 * 1024 ** 2;
export const MAX_SNAPSHOTS = 65_536;
export const MAX_SNAPSHOT_EXTRA = 1024;
export const MAX_SNAPSHOT_TABLE_BYTES: number = MAX_SNAPSHOTS * 1024;

/** "Cluster mapping": host offsets have 56 bits. */
export const MAX_HOST_OFFSET: number = 2 ** 56;
