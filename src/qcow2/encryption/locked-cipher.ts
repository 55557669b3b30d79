import { CalveError } from '../../errors/index.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { SectorCipher } from './sector-cipher.ts';

/** The cipher of an encrypted image that nobody gave a passphrase for: it refuses with `denied`. */
export function lockedCipher(header: Qcow2Header, path: string): SectorCipher | undefined {
  if (header.cryptMethod === 'none') return undefined;
  const refuse = () => {
    throw new CalveError('denied', `${path} is encrypted, and was opened without a passphrase`, {
      data: { path, cryptMethod: header.cryptMethod },
    });
  };
  return { decrypt: refuse, encrypt: refuse, [Symbol.dispose]: () => {} };
}
