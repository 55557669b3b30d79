import { readFile } from 'node:fs/promises';
import { CalveError, systemError } from '../../errors/index.ts';

/** Ciphers that a key which both sides have makes keys for; those of TLS 1.3 are for keys and certificates alike. */
export const PSK_CIPHERS = 'TLS_AES_128_GCM_SHA256:ECDHE-PSK:DHE-PSK:PSK:!eNULL';

/** The least bytes of a key that is worth the name. */
const SHORTEST_KEY = 8;

/**
 * Reads a file of keys, `USER:HEX` a line, as psktool of GnuTLS writes it.
 * @returns the keys by their users
 * @throws CalveError `invalid` for a line that is none, or a file without any; `not-found`, `denied`, `io`
 */
export async function readPskFile(path: string): Promise<ReadonlyMap<string, Buffer>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw systemError(`cannot read the keys in ${path}`, error);
  }
  const keys = new Map<string, Buffer>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, user, hex = ''] = /^(.+):((?:[0-9a-f]{2})+)\s*$/i.exec(line) ?? [];
    if (user === undefined || hex.length < 2 * SHORTEST_KEY) {
      // The line itself is a secret, or close to one.
      const message = `${path}, line ${index + 1}: expected USER:KEY, the key in hex, of at least ${SHORTEST_KEY} bytes`;
      throw new CalveError('invalid', message, { hint: 'psktool -u USER -p FILE' });
    }
    keys.set(user, Buffer.from(hex, 'hex'));
  }
  if (keys.size === 0) throw new CalveError('invalid', `${path}: expected a line USER:KEY, found none`);
  return keys;
}
