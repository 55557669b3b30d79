import type { CipherSpec } from './cipher-spec.ts';
import { openSectorCipher } from './open-sector-cipher.ts';
import type { SectorCipher } from './sector-cipher.ts';

/** qcow2, "Header", crypt_method 1: AES-128 in CBC mode, the IV being the sector's number on the virtual disk. */
const LEGACY: CipherSpec = { keyBytes: 16, mode: 'cbc', ivgen: 'plain64' };

/**
 * The cipher of an image with crypt_method `aes`. The key is the passphrase's first 16 bytes, filled up with zeros:
 * nothing can tell a wrong one, it yields wrong data.
 */
export function legacyAesCipher(passphrase: Uint8Array): SectorCipher {
  const key = new Uint8Array(LEGACY.keyBytes);
  key.set(passphrase.subarray(0, key.length));
  try {
    return openSectorCipher(LEGACY, key, 'guest');
  } finally {
    key.fill(0);
  }
}
