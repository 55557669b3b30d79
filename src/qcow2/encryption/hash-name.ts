import { getHashes } from 'node:crypto';
import { CalveError } from '../../errors/index.ts';

/** Hashes that QEMU knows for LUKS, by their names in a LUKS header, with the bytes of a digest. */
const DIGEST_BYTES = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  ripemd160: 20,
} as const;

/** A hash by its name in a LUKS header, which is OpenSSL's too. */
export type HashName = keyof typeof DIGEST_BYTES;

export function digestBytes(hash: HashName): number {
  return DIGEST_BYTES[hash];
}

/**
 * @param field whose value `name` is
 * @throws CalveError `unsupported`
 */
export function parseHashName(name: string, field: string): HashName {
  // OpenSSL can be built without one of them.
  if (isHashName(name) && getHashes().includes(name)) return name;
  const known = Object.keys(DIGEST_BYTES).join(', ');
  throw new CalveError('unsupported', `${field}: expected one of ${known}, got ${JSON.stringify(name)}`, {
    data: { field, value: name },
  });
}

function isHashName(name: string): name is HashName {
  return Object.hasOwn(DIGEST_BYTES, name);
}
