import { BitChanges } from './bit-changes.ts';
import {
  AUTO,
  type BitmapEntryFields,
  bitmapEntryFields,
  DIRTY_TRACKING,
  ENTRY_FIELDS_BYTES,
  EXTRA_DATA_COMPATIBLE,
  entryLength,
  IN_USE,
} from './bitmap-fields.ts';
import { bitmapSize } from './bitmap-size.ts';

/** A bitmap's table in the file, in bytes. */
export interface BitmapTablePlace {
  readonly offset: number;
  readonly length: number;
}

/** What never changes about a bitmap. */
export interface BitmapIdentity {
  readonly nameBytes: Uint8Array;
  readonly granularityBits: number;
  /** Section "Bitmap directory", extra_data: kept as it is. */
  readonly extraData: Uint8Array;
  /** Whether others may use the bitmap without knowing the extra data. */
  readonly extraDataCompatible: boolean;
}

/** A bitmap of an open image, as it counts in memory. */
export class Bitmap {
  readonly name: string;
  readonly identity: BitmapIdentity;
  readonly changes: BitChanges;
  /** It was in use when its writer ended without closing the image: its bits are outdated. */
  inconsistent: boolean;
  /** Whether changes of the disk are set in it (flag `auto`). */
  enabled: boolean;
  /** Bits that it has. */
  bits: number;
  /** Where the file holds its table; undefined before it was ever stored. */
  table: BitmapTablePlace | undefined;
  /** The bitmap table as it counts in memory, once it was asked for: host offsets, ALL_ZEROS, ALL_ONES. */
  places: Float64Array | undefined;
  /** `places` is not what the file's table says. */
  placesChanged = false;
  readonly #clusterSize: number;

  constructor(
    identity: BitmapIdentity,
    size: { readonly disk: number; readonly cluster: number },
    is: { readonly inconsistent: boolean; readonly enabled: boolean; readonly table?: BitmapTablePlace },
  ) {
    this.identity = identity;
    this.name = Buffer.from(identity.nameBytes).toString('utf8');
    this.changes = new BitChanges(size.cluster);
    this.inconsistent = is.inconsistent;
    this.enabled = is.enabled;
    this.table = is.table;
    this.bits = bitmapSize(size.disk, identity.granularityBits, size.cluster).bits;
    this.#clusterSize = size.cluster;
    if (!is.table) this.restart(size.disk);
  }

  /** It has extra data without which it must not be used. */
  get foreign(): boolean {
    return this.identity.extraData.length > 0 && !this.identity.extraDataCompatible;
  }

  /** Its bits count. */
  get sound(): boolean {
    return !this.inconsistent && !this.foreign;
  }

  /** Bytes of the disk that a bit stands for. */
  get granularity(): number {
    return 2 ** this.identity.granularityBits;
  }

  /** Bytes of its directory entry, padding included. */
  get entryBytes(): number {
    const { nameBytes, extraData } = this.identity;
    return entryLength({ nameSize: nameBytes.length, extraDataSize: extraData.length });
  }

  /** Bits that one entry of its table says. */
  get pageBits(): number {
    return this.#clusterSize * 8;
  }

  /** Sets the bits of a range of the disk, in bytes; one that is not empty. */
  mark(offset: number, length: number): void {
    const end = Math.ceil((offset + length) / this.granularity);
    this.changes.set(Math.floor(offset / this.granularity), Math.min(end, this.bits));
  }

  /** No bit is set, of as many as a disk of `diskSize` bytes has. What its table led to is the caller's to free. */
  restart(diskSize: number): void {
    const { bits, tableEntries } = bitmapSize(diskSize, this.identity.granularityBits, this.#clusterSize);
    this.bits = bits;
    this.places = new Float64Array(tableEntries);
    this.placesChanged = true;
    this.changes.clear();
  }

  /** Its directory entry, padding included. The table has a place. */
  encodeEntry(inUse: boolean): Uint8Array {
    const { nameBytes, extraData, extraDataCompatible, granularityBits } = this.identity;
    const fields: BitmapEntryFields = {
      tableOffset: BigInt(this.table?.offset ?? 0),
      tableSize: (this.table?.length ?? 0) / 8,
      flags:
        (inUse ? IN_USE : 0) | (this.enabled ? AUTO : 0) | (extraDataCompatible ? EXTRA_DATA_COMPATIBLE : 0),
      type: DIRTY_TRACKING,
      granularityBits,
      nameSize: nameBytes.length,
      extraDataSize: extraData.length,
    };
    const bytes = new Uint8Array(this.entryBytes);
    bytes.set(bitmapEntryFields.encode(fields));
    bytes.set(extraData, ENTRY_FIELDS_BYTES);
    bytes.set(nameBytes, ENTRY_FIELDS_BYTES + extraData.length);
    return bytes;
  }
}
