import { CalveError, type ErrorCode } from '../errors/index.ts';
import {
  COMPRESSION_TYPE_OFFSET,
  COMPRESSION_TYPES,
  CRYPT_METHODS,
  ENTRY_SIZE,
  HEADER_LENGTH_V3,
  MAGIC,
  MAX_BACKING_FILE_NAME,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MAX_REFCOUNT_ORDER,
  MAX_REFCOUNT_TABLE_BYTES,
  MAX_SNAPSHOTS,
  MIN_CLUSTER_BITS,
  MIN_CLUSTER_BITS_EXTENDED_L2,
} from './constants.ts';
import type { FeatureName } from './feature-names.ts';
import type { HeaderFields, IncompatibleFeatures } from './header-fields.ts';
import type { CompressionType, Qcow2Header } from './qcow2-header.ts';

type CheckedFields = Omit<
  Qcow2Header,
  'backingFormat' | 'extensions' | 'featureNames' | 'additionalFields'
> & {
  /** Where the header extensions end at the latest. */
  readonly extensionsEnd: number;
};

const SECTOR = 512;
const MAX_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Every check of the header's fields, ahead of any use of them. Fields of the file's other structures are checked
 * where those are read.
 *
 * @param bytes the first cluster, or the whole file where that is shorter
 * @throws CalveError `invalid` or `unsupported`, with `data.field` and `data.value`
 */
export function validateHeaderFields(fields: HeaderFields, bytes: Uint8Array): CheckedFields {
  const { version, clusterBits, refcountOrder, headerLength, incompatible } = fields;
  check(fields.magic === MAGIC, 'magic', `0x${hex(MAGIC)}`, `0x${hex(fields.magic)}`);
  if (version !== 2 && version !== 3) throw refusal('version', '2 or 3', version, 'unsupported');
  check(
    clusterBits >= MIN_CLUSTER_BITS && clusterBits <= MAX_CLUSTER_BITS,
    'cluster_bits',
    `${MIN_CLUSTER_BITS} to ${MAX_CLUSTER_BITS}`,
    clusterBits,
  );
  const clusterSize = 2 ** clusterBits;
  if (version === 3) {
    const lengthIsRight =
      headerLength >= HEADER_LENGTH_V3 && headerLength <= clusterSize && headerLength % 8 === 0;
    const expected = `a multiple of 8 from ${HEADER_LENGTH_V3} to ${clusterSize}`;
    check(lengthIsRight, 'header_length', expected, headerLength);
  }
  check(
    headerLength <= bytes.length,
    'header_length',
    `at most the file's ${bytes.length} bytes`,
    headerLength,
  );
  check(
    refcountOrder <= MAX_REFCOUNT_ORDER,
    'refcount_order',
    `at most ${MAX_REFCOUNT_ORDER}`,
    refcountOrder,
  );
  const extended = incompatible.has('extended L2 entries');
  if (extended && clusterBits < MIN_CLUSTER_BITS_EXTENDED_L2) {
    throw refusal('cluster_bits', `at least ${MIN_CLUSTER_BITS_EXTENDED_L2} with extended L2`, clusterBits);
  }
  const cryptMethod = CRYPT_METHODS[fields.cryptMethod];
  if (!cryptMethod) throw refusal('crypt_method', '0, 1 or 2', fields.cryptMethod, 'unsupported');

  const aligned = (field: string, offset: bigint, length: number) =>
    checkTable(field, offset, length, clusterSize);
  const l1Bytes = fields.l1Size * ENTRY_SIZE;
  check(l1Bytes <= MAX_L1_BYTES, 'l1_size', `at most ${MAX_L1_BYTES / ENTRY_SIZE}`, fields.l1Size);
  const tableBytes = fields.refcountTableClusters * clusterSize;
  const mostClusters = MAX_REFCOUNT_TABLE_BYTES / clusterSize;
  const tableIsRight = fields.refcountTableClusters >= 1 && tableBytes <= MAX_REFCOUNT_TABLE_BYTES;
  check(tableIsRight, 'refcount_table_clusters', `1 to ${mostClusters}`, fields.refcountTableClusters);
  check(
    fields.snapshotCount <= MAX_SNAPSHOTS,
    'nb_snapshots',
    `at most ${MAX_SNAPSHOTS}`,
    fields.snapshotCount,
  );
  const size = checkSize(fields, clusterSize, extended);

  return {
    version,
    size,
    clusterBits,
    clusterSize,
    l1Size: fields.l1Size,
    l1Offset: aligned('l1_table_offset', fields.l1Offset, l1Bytes),
    refcountTableOffset: aligned('refcount_table_offset', fields.refcountTableOffset, tableBytes),
    refcountTableClusters: fields.refcountTableClusters,
    refcountBits: 2 ** refcountOrder,
    snapshotCount: fields.snapshotCount,
    snapshotsOffset: aligned('snapshots_offset', fields.snapshotsOffset, fields.snapshotCount),
    cryptMethod,
    incompatible,
    compatible: fields.compatible,
    autoclear: fields.autoclear,
    headerLength,
    compressionType: checkCompressionType(fields, bytes),
    ...checkBackingFile(fields, bytes, clusterSize),
  };
}

/**
 * Trap 3: an image with a feature that is not known must not be opened.
 * @throws CalveError `unsupported`, naming each by the image's own feature name table
 */
export function refuseUnknownFeatures(features: IncompatibleFeatures, names: readonly FeatureName[]): void {
  const unknown = [...features].filter((feature) => typeof feature === 'number');
  if (unknown.length === 0) return;
  const called = unknown.map((bit) => {
    const row = names.find((entry) => entry.type === 0 && entry.bit === bit);
    return row ? `${JSON.stringify(row.name)} (bit ${bit})` : `bit ${bit}`;
  });
  throw new CalveError('unsupported', `incompatible_features: the image needs ${called.join(', ')}`, {
    data: { field: 'incompatible_features', value: unknown },
  });
}

/** An offset of a structure of `length` bytes: after the header's cluster, aligned, and its end below 2^53. */
function checkTable(field: string, offset: bigint, length: number, clusterSize: number): number {
  // What has no bytes lies nowhere.
  if (length === 0) return offset > MAX_OFFSET ? 0 : Number(offset);
  check(offset <= MAX_OFFSET - BigInt(length), field, 'an end below 2^53', offset);
  const start = Number(offset);
  check(start % clusterSize === 0, field, `a multiple of ${clusterSize}`, offset);
  check(start > 0, field, 'a cluster after the header', offset);
  return start;
}

/** Traps 8 and 9. A size that ends inside a sector is taken for the whole sectors before it, as QEMU takes it. */
function checkSize(fields: HeaderFields, clusterSize: number, extended: boolean): number {
  check(fields.size <= MAX_OFFSET, 'size', 'at most 2^53 - 1', fields.size);
  const size = Math.floor(Number(fields.size) / SECTOR) * SECTOR;
  const tableCovers = (clusterSize / (extended ? 2 * ENTRY_SIZE : ENTRY_SIZE)) * clusterSize;
  const needed = Math.ceil(size / tableCovers);
  check(fields.l1Size >= needed, 'l1_size', `at least ${needed} for a size of ${size}`, fields.l1Size);
  return size;
}

/** Trap 7. */
function checkCompressionType(fields: HeaderFields, bytes: Uint8Array): CompressionType {
  const value = fields.headerLength > COMPRESSION_TYPE_OFFSET ? (bytes[COMPRESSION_TYPE_OFFSET] ?? 0) : 0;
  const type = COMPRESSION_TYPES[value];
  if (!type) throw refusal('compression_type', '0 or 1', value, 'unsupported');
  const flagged = fields.incompatible.has('compression type');
  const expected = flagged ? 'not 0, as incompatible bit 3 is set' : '0, as incompatible bit 3 is clear';
  check(flagged === (value !== 0), 'compression_type', expected, value);
  return type;
}

/** Trap 6. The name is the rest of nothing: it lies in the first cluster, behind the extensions. */
function checkBackingFile(
  fields: HeaderFields,
  bytes: Uint8Array,
  clusterSize: number,
): { extensionsEnd: number; backingFile?: string } {
  const { backingFileOffset: offset, backingFileSize: length, headerLength } = fields;
  if (offset === 0n) return { extensionsEnd: Math.min(clusterSize, bytes.length) };
  check(length <= MAX_BACKING_FILE_NAME, 'backing_file_size', `at most ${MAX_BACKING_FILE_NAME}`, length);
  const end = Math.min(clusterSize, bytes.length);
  const lies = offset >= BigInt(headerLength) && offset <= BigInt(end - length);
  check(lies, 'backing_file_offset', `from ${headerLength}, with its name before ${end}`, offset);
  const extensionsEnd = Number(offset);
  if (length === 0) return { extensionsEnd };
  const name = Buffer.from(bytes.subarray(extensionsEnd, extensionsEnd + length));
  const backingFile = name.toString('utf8');
  const readable = !backingFile.includes('\0') && Buffer.from(backingFile).equals(name);
  check(readable, 'backing file name', 'UTF-8 without a zero byte', JSON.stringify(backingFile));
  return { extensionsEnd, backingFile };
}

function check(holds: boolean, field: string, expected: string, value: number | bigint | string): void {
  if (!holds) throw refusal(field, expected, value);
}

function refusal(
  field: string,
  expected: string,
  value: number | bigint | string,
  code: ErrorCode = 'invalid',
): CalveError {
  return new CalveError(code, `${field}: expected ${expected}, got ${value}`, {
    data: { field, value: typeof value === 'bigint' ? String(value) : value },
  });
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
