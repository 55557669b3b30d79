import { type CoderType, struct, U32BE, U64BE } from 'micro-packed';
import { flags64BE } from '../bytes/index.ts';
import { CalveError } from '../errors/index.ts';
import {
  AUTOCLEAR_BITS,
  COMPATIBLE_BITS,
  HEADER_LENGTH_V2,
  HEADER_LENGTH_V3,
  INCOMPATIBLE_BITS,
  REFCOUNT_ORDER_V2,
} from './constants.ts';

/** Feature bits that are set: known ones by the name that QEMU's feature name table gives them, others by number. */
export type IncompatibleFeatures = ReadonlySet<keyof typeof INCOMPATIBLE_BITS | number>;
export type CompatibleFeatures = ReadonlySet<keyof typeof COMPATIBLE_BITS | number>;
export type AutoclearFeatures = ReadonlySet<keyof typeof AUTOCLEAR_BITS | number>;

interface FieldsOfBoth {
  magic: number;
  version: number;
  backingFileOffset: bigint;
  backingFileSize: number;
  clusterBits: number;
  size: bigint;
  cryptMethod: number;
  l1Size: number;
  l1Offset: bigint;
  refcountTableOffset: bigint;
  refcountTableClusters: number;
  snapshotCount: number;
  snapshotsOffset: bigint;
}

interface FieldsOfVersion3 {
  incompatible: IncompatibleFeatures;
  compatible: CompatibleFeatures;
  autoclear: AutoclearFeatures;
  refcountOrder: number;
  headerLength: number;
}

/** The fields that every header has, as they lie on disk: nothing about them has been checked. */
export type HeaderFields = FieldsOfBoth & FieldsOfVersion3;

/** Section "Header", bytes 0 to 71. */
const ofBoth: CoderType<FieldsOfBoth> = struct({
  magic: U32BE,
  version: U32BE,
  backingFileOffset: U64BE,
  backingFileSize: U32BE,
  clusterBits: U32BE,
  size: U64BE,
  cryptMethod: U32BE,
  l1Size: U32BE,
  l1Offset: U64BE,
  refcountTableOffset: U64BE,
  refcountTableClusters: U32BE,
  snapshotCount: U32BE,
  snapshotsOffset: U64BE,
});

/** Section "Header", bytes 72 to 103. */
const ofVersion3: CoderType<FieldsOfVersion3> = struct({
  incompatible: flags64BE(INCOMPATIBLE_BITS),
  compatible: flags64BE(COMPATIBLE_BITS),
  autoclear: flags64BE(AUTOCLEAR_BITS),
  refcountOrder: U32BE,
  headerLength: U32BE,
});

/** What version 2 has in place of the later fields. */
const VERSION_2: FieldsOfVersion3 = {
  incompatible: new Set(),
  compatible: new Set(),
  autoclear: new Set(),
  refcountOrder: REFCOUNT_ORDER_V2,
  headerLength: HEADER_LENGTH_V2,
};

/**
 * The fields of the header that begins `bytes`. A version above 3 is taken apart as version 3 is.
 * @throws CalveError `invalid` when `bytes` is shorter than the header's fields
 */
export function decodeHeaderFields(bytes: Uint8Array): HeaderFields {
  checkLength(bytes, HEADER_LENGTH_V2);
  const fields = ofBoth.decode(bytes.subarray(0, HEADER_LENGTH_V2));
  if (fields.version < 3) return { ...fields, ...VERSION_2 };
  checkLength(bytes, HEADER_LENGTH_V3);
  return { ...fields, ...ofVersion3.decode(bytes.subarray(HEADER_LENGTH_V2, HEADER_LENGTH_V3)) };
}

/** The bytes of the fields: 72 in version 2, else 104. */
export function encodeHeaderFields(fields: HeaderFields): Uint8Array {
  const both = ofBoth.encode(fields);
  return fields.version < 3 ? both : Buffer.concat([both, ofVersion3.encode(fields)]);
}

function checkLength(bytes: Uint8Array, expected: number): void {
  if (bytes.length >= expected) return;
  throw new CalveError('invalid', `expected a qcow2 header of ${expected} bytes, got ${bytes.length}`);
}
