import { type CoderType, struct, U8, U16BE, U32BE, U64BE } from 'micro-packed';

/** Section "Bitmaps extension": its bytes. */
export const BITMAPS_EXTENSION_BYTES = 24;
/** Section "Bitmap directory": the bytes that every entry has, ahead of extra data and name. */
export const ENTRY_FIELDS_BYTES = 24;
/** Section "Bitmap directory", flags. */
export const IN_USE = 1;
export const AUTO = 2;
export const EXTRA_DATA_COMPATIBLE = 4;
/** Section "Bitmap directory", type: a dirty tracking bitmap, the only one there is. */
export const DIRTY_TRACKING = 1;

/** QEMU's limits: bitmaps of an image; bytes of a directory; entries of a bitmap table; bytes of a bitmap's bits. */
export const MAX_BITMAPS = 65_535;
export const MAX_DIRECTORY_BYTES: number = MAX_BITMAPS * 1024;
export const MAX_TABLE_ENTRIES = 0x800_0000;
export const MAX_BITMAP_BYTES: number = 512 * 1024 ** 2;
/** QEMU's limits: bytes of a name, and granularities, as powers of two. */
export const MAX_NAME_BYTES = 1023;
export const MIN_GRANULARITY_BITS = 9;
export const MAX_GRANULARITY_BITS = 31;

/** Section "Bitmaps extension", as it lies on disk: nothing about it has been checked. */
export interface BitmapsExtension {
  bitmapCount: number;
  reserved: number;
  /** Bytes. */
  directorySize: bigint;
  directoryOffset: bigint;
}

/** Section "Bitmap directory", the fixed fields of an entry as they lie on disk: nothing about them has been checked. */
export interface BitmapEntryFields {
  tableOffset: bigint;
  /** Entries of the bitmap table. */
  tableSize: number;
  flags: number;
  type: number;
  granularityBits: number;
  /** Bytes. */
  nameSize: number;
  /** Bytes. */
  extraDataSize: number;
}

/** Encodes and decodes exactly `BITMAPS_EXTENSION_BYTES`. */
export const bitmapsExtension: CoderType<BitmapsExtension> = struct({
  bitmapCount: U32BE,
  reserved: U32BE,
  directorySize: U64BE,
  directoryOffset: U64BE,
});

/** Encodes and decodes exactly `ENTRY_FIELDS_BYTES`. */
export const bitmapEntryFields: CoderType<BitmapEntryFields> = struct({
  tableOffset: U64BE,
  tableSize: U32BE,
  flags: U32BE,
  type: U8,
  granularityBits: U8,
  nameSize: U16BE,
  extraDataSize: U32BE,
});

/** The bytes of a whole entry, padding included. */
export function entryLength({
  extraDataSize,
  nameSize,
}: Pick<BitmapEntryFields, 'extraDataSize' | 'nameSize'>): number {
  return Math.ceil((ENTRY_FIELDS_BYTES + extraDataSize + nameSize) / 8) * 8;
}
