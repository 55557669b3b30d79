import { CalveError } from '../../errors/index.ts';
import { EXTENSION } from '../constants.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { encryptionArea } from './encryption-area.ts';
import type { LuksSource } from './read-luks-header.ts';
import type { SectorCipher } from './sector-cipher.ts';
import type { UnlockOptions } from './unlock-luks.ts';

/** Who opens an image, and with what. */
export interface EncryptionOptions extends UnlockOptions {
  /** The caller's, to be wiped when the image is open. */
  passphrase?: Uint8Array;
}

/**
 * The cipher of an image's guest data, by its header's crypt_method; undefined where they are not encrypted.
 * @throws CalveError `denied` when there is no passphrase, or it is the wrong one; `invalid` when the header contradicts
 *   itself; what `unlockLuks` throws
 */
export async function openEncryption(
  source: LuksSource,
  header: Qcow2Header,
  { passphrase, ...options }: EncryptionOptions,
): Promise<SectorCipher | undefined> {
  const pointed = header.extensions.some(({ type }) => type === EXTENSION.encryption);
  if (pointed && header.cryptMethod !== 'luks') {
    const field = 'encryption header pointer';
    const message = `${source.path}: ${field}: expected none, as crypt_method is ${header.cryptMethod}, got one`;
    throw new CalveError('invalid', message, { data: { path: source.path, field, value: 'one' } });
  }
  if (header.cryptMethod === 'none') return undefined;
  if (!passphrase) {
    throw new CalveError('denied', `${source.path}: expected a passphrase, as the image is encrypted`, {
      data: { path: source.path, cryptMethod: header.cryptMethod },
    });
  }
  // Loaded when it is wanted: most images are not encrypted.
  if (header.cryptMethod === 'aes')
    return (await import('./legacy-aes-cipher.ts')).legacyAesCipher(passphrase);
  const { unlockLuks } = await import('./unlock-luks.ts');
  return unlockLuks(source, encryptionArea(header), passphrase, options);
}
