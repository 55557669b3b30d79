import { array, bytes, type CoderType, struct, U16BE, U32BE } from 'micro-packed';

/** Section numbers and names are those of the LUKS On-Disk Format Specification, version 1.2.3. */

/** Figure 1, magic: `LUKS` and 0xba, 0xbe. */
export const LUKS_MAGIC: Uint8Array = Uint8Array.of(0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe);
export const LUKS_VERSION = 1;
/** Figure 1: the header's bytes. */
export const LUKS_HEADER_BYTES = 592;
/** Figure 3, LUKS_NUMKEYS. */
export const KEY_SLOTS = 8;
/** Figure 3: what a key slot's `active` is. */
export const SLOT_ENABLED = 0x00ac71f3;
export const SLOT_DISABLED = 0x0000dead;
/** Figure 3, LUKS_STRIPES: the one number that anybody writes. */
export const STRIPES = 4000;
/** Figure 3, LUKS_ALIGN_KEYSLOTS: where key material may begin, in bytes. */
export const KEY_SLOT_ALIGNMENT = 4096;
export const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;
/** The bytes of each name: cipher-name, cipher-mode, hash-spec. */
export const NAME_BYTES = 32;
export const UUID_BYTES = 40;

/** Figure 2, a key slot as it lies in the header. Offsets count sectors of 512 bytes. */
export interface KeySlotFields {
  active: number;
  iterations: number;
  salt: Uint8Array;
  keyMaterialOffset: number;
  stripes: number;
}

/** Figure 1, as it lies there: nothing about it has been checked. */
export interface LuksFields {
  magic: Uint8Array;
  version: number;
  cipherName: Uint8Array;
  cipherMode: Uint8Array;
  hashSpec: Uint8Array;
  payloadOffset: number;
  keyBytes: number;
  mkDigest: Uint8Array;
  mkDigestSalt: Uint8Array;
  mkDigestIterations: number;
  uuid: Uint8Array;
  keySlots: KeySlotFields[];
}

const keySlot: CoderType<KeySlotFields> = struct({
  active: U32BE,
  iterations: U32BE,
  salt: bytes(SALT_BYTES),
  keyMaterialOffset: U32BE,
  stripes: U32BE,
});

/** Encodes and decodes exactly `LUKS_HEADER_BYTES`. */
export const luksFields: CoderType<LuksFields> = struct({
  magic: bytes(LUKS_MAGIC.length),
  version: U16BE,
  cipherName: bytes(NAME_BYTES),
  cipherMode: bytes(NAME_BYTES),
  hashSpec: bytes(NAME_BYTES),
  payloadOffset: U32BE,
  keyBytes: U32BE,
  mkDigest: bytes(DIGEST_BYTES),
  mkDigestSalt: bytes(SALT_BYTES),
  mkDigestIterations: U32BE,
  uuid: bytes(UUID_BYTES),
  keySlots: array(KEY_SLOTS, keySlot),
});
