import { randomBytes, randomUUID } from 'node:crypto';
import { splitKey } from './anti-forensic.ts';
import { type CipherSpec, cipherModeText } from './cipher-spec.ts';
import { deriveKey, type KeyDerivation } from './derive-key.ts';
import type { HashName } from './hash-name.ts';
import { keySlotBytes, materialBytes } from './key-material.ts';
import {
  DIGEST_BYTES,
  KEY_SLOT_ALIGNMENT,
  KEY_SLOTS,
  LUKS_MAGIC,
  LUKS_VERSION,
  type LuksFields,
  luksFields,
  NAME_BYTES,
  SALT_BYTES,
  SLOT_DISABLED,
  SLOT_ENABLED,
  STRIPES,
  UUID_BYTES,
} from './luks-fields.ts';
import { type LuksOptions, luksSettings } from './luks-settings.ts';
import { openSectorCipher } from './open-sector-cipher.ts';
import { SECTOR, type SectorCipher } from './sector-cipher.ts';

/** The LUKS header of a new image, and the cipher of its guest data. */
export interface NewLuks {
  /** What the area begins with: header and first key slot. The rest of the area reads zeros. */
  readonly bytes: Uint8Array;
  /** The bytes of the area, for all eight key slots: what the encryption header pointer says. */
  readonly areaLength: number;
  readonly cipher: SectorCipher;
}

/**
 * A fresh LUKS header, version 1, laid out as QEMU lays it out, with a random master key that one passphrase opens
 * (LUKS specification, sections 4.1 and 4.2). Takes a little more than `iterTime`, in the thread pool.
 *
 * @param passphrase its bytes; the caller's, to be wiped when this has ended
 * @throws CalveError `usage` for an option, `unsupported` for one that QEMU cannot open, `aborted`
 */
export async function createLuks(passphrase: Uint8Array, options: LuksOptions = {}): Promise<NewLuks> {
  const { spec, hash, ...iterations } = luksSettings(options);
  const { signal } = options;
  const { keyBytes } = spec;
  const masterKey = randomBytes(keyBytes);
  try {
    const [slotSalt, masterSalt] = [randomBytes(SALT_BYTES), randomBytes(SALT_BYTES)];
    const ofSlot = { hash, salt: slotSalt, iterations: iterations.keySlot, length: keyBytes };
    const ofMaster = { hash, salt: masterSalt, iterations: iterations.masterKey, length: DIGEST_BYTES };
    const slotKey = await deriveKey(passphrase, ofSlot, signal);
    const material = encryptKey(masterKey, slotKey, spec, hash);
    const mkDigest = await deriveKey(masterKey, ofMaster, signal);
    const fields = newHeader(spec, hash, { ofSlot, ofMaster, mkDigest });
    const bytes = Buffer.alloc(KEY_SLOT_ALIGNMENT + material.length);
    bytes.set(luksFields.encode(fields));
    bytes.set(material, KEY_SLOT_ALIGNMENT);
    const areaLength = fields.payloadOffset * SECTOR;
    return { bytes, areaLength, cipher: openSectorCipher(spec, masterKey, 'host') };
  } finally {
    masterKey.fill(0);
  }
}

interface NewKeys {
  readonly ofSlot: KeyDerivation;
  readonly ofMaster: KeyDerivation;
  readonly mkDigest: Uint8Array;
}

/** The first key slot is taken, the others have their places. */
function newHeader(spec: CipherSpec, hash: HashName, { ofSlot, ofMaster, mkDigest }: NewKeys): LuksFields {
  const slotSectors = keySlotBytes(spec.keyBytes) / SECTOR;
  const firstSector = KEY_SLOT_ALIGNMENT / SECTOR;
  return {
    magic: LUKS_MAGIC,
    version: LUKS_VERSION,
    cipherName: padded('aes', NAME_BYTES),
    cipherMode: padded(cipherModeText(spec), NAME_BYTES),
    hashSpec: padded(hash, NAME_BYTES),
    payloadOffset: firstSector + KEY_SLOTS * slotSectors,
    keyBytes: spec.keyBytes,
    mkDigest,
    mkDigestSalt: ofMaster.salt,
    mkDigestIterations: ofMaster.iterations,
    uuid: padded(randomUUID(), UUID_BYTES),
    keySlots: Array.from({ length: KEY_SLOTS }, (_, slot) => ({
      active: slot === 0 ? SLOT_ENABLED : SLOT_DISABLED,
      iterations: slot === 0 ? ofSlot.iterations : 0,
      salt: slot === 0 ? ofSlot.salt : Buffer.alloc(SALT_BYTES),
      keyMaterialOffset: firstSector + slot * slotSectors,
      stripes: STRIPES,
    })),
  };
}

/** The split master key under a slot's key, which is wiped. */
function encryptKey(masterKey: Uint8Array, slotKey: Uint8Array, spec: CipherSpec, hash: HashName): Buffer {
  try {
    using slotCipher = openSectorCipher(spec, slotKey, 'host');
    const split = splitKey(masterKey, hash);
    const material = Buffer.alloc(materialBytes(masterKey.length));
    material.set(split);
    split.fill(0);
    slotCipher.encrypt(material, { host: 0, guest: 0 });
    return material;
  } finally {
    slotKey.fill(0);
  }
}

function padded(text: string, length: number): Buffer {
  return Buffer.concat([Buffer.from(text)], length);
}
