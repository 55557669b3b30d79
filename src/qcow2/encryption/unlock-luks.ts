import { timingSafeEqual } from 'node:crypto';
import { CalveError } from '../../errors/index.ts';
import { mergeKey } from './anti-forensic.ts';
import { deriveKey } from './derive-key.ts';
import type { EncryptionArea } from './encryption-area.ts';
import { materialBytes } from './key-material.ts';
import type { KeySlot, LuksHeader } from './luks-header.ts';
import { openSectorCipher } from './open-sector-cipher.ts';
import { type LuksSource, readLuksHeader } from './read-luks-header.ts';
import type { SectorCipher } from './sector-cipher.ts';
import type { LuksLimits } from './validate-luks-fields.ts';

/** How an image's key is opened. */
export interface UnlockOptions extends Omit<LuksLimits, 'areaLength'> {
  signal?: AbortSignal;
}

interface Unlocking {
  readonly source: LuksSource;
  readonly area: EncryptionArea;
  readonly header: LuksHeader;
  readonly passphrase: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/**
 * The cipher of an image's guest data, by trying the passphrase on one key slot after the other (LUKS specification,
 * section 4.3). It takes as long as the header's iterations ask for, in the thread pool; a slot that is tried takes
 * 4000 stripes to merge in this thread too, about 20 ms.
 *
 * @param passphrase its bytes; the caller's, to be wiped when this has ended
 * @throws CalveError `denied` when no key slot opens with it; `invalid` or `unsupported`, naming the file, the field
 *   and its value; `aborted`; `corrupt`; `io`
 */
export async function unlockLuks(
  source: LuksSource,
  area: EncryptionArea,
  passphrase: Uint8Array,
  { signal, ...limits }: UnlockOptions = {},
): Promise<SectorCipher> {
  const header = await readLuksHeader(source, area, limits);
  const slots = header.keySlots.filter(({ active }) => active);
  for (const slot of slots) {
    const masterKey = await tryKeySlot({ source, area, header, passphrase, signal }, slot);
    if (!masterKey) continue;
    try {
      return openSectorCipher(header.cipher, masterKey, 'host');
    } finally {
      masterKey.fill(0);
    }
  }
  const message =
    slots.length === 0
      ? 'no key slot is active, so no passphrase opens it'
      : `the passphrase opens none of its ${slots.length} active key slots`;
  throw new CalveError('denied', `${source.path}: ${message}`, {
    data: { path: source.path, activeKeySlots: slots.length },
  });
}

/** The master key, if the passphrase is the slot's. */
async function tryKeySlot(unlocking: Unlocking, slot: KeySlot): Promise<Buffer | undefined> {
  const { source, area, header, passphrase, signal } = unlocking;
  const { keyBytes } = header.cipher;
  const what = `the key material of LUKS key slot ${slot.index}`;
  const material = await source.readStructure(what, area.offset + slot.offset, materialBytes(keyBytes));
  const { salt, iterations } = slot;
  const derivation = { hash: header.hash, salt, iterations, length: keyBytes };
  const slotKey = await deriveKey(passphrase, derivation, signal);
  const candidate = decryptKey(header, slotKey, material);
  let found = false;
  try {
    found = await isMasterKey(candidate, header, signal);
  } finally {
    if (!found) candidate.fill(0);
  }
  return found ? candidate : undefined;
}

/** What a slot's key makes of its material; both are wiped. */
function decryptKey({ cipher, hash }: LuksHeader, slotKey: Uint8Array, material: Uint8Array): Buffer {
  try {
    using slotCipher = openSectorCipher(cipher, slotKey, 'host');
    slotCipher.decrypt(material, { host: 0, guest: 0 });
    return mergeKey(material, cipher.keyBytes, hash);
  } finally {
    slotKey.fill(0);
    material.fill(0);
  }
}

async function isMasterKey(
  candidate: Uint8Array,
  { hash, masterKeyDigest, masterKeySalt, masterKeyIterations }: LuksHeader,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const length = masterKeyDigest.length;
  const derivation = { hash, salt: masterKeySalt, iterations: masterKeyIterations, length };
  return timingSafeEqual(await deriveKey(candidate, derivation, signal), masterKeyDigest);
}
