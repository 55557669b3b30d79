import { pbkdf2 } from 'node:crypto';
import { CalveError } from '../../errors/index.ts';
import type { HashName } from './hash-name.ts';

/** What PBKDF2 is done with. */
export interface KeyDerivation {
  readonly hash: HashName;
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** The bytes of the key. */
  readonly length: number;
}

/**
 * PBKDF2 (RFC 8018, section 5.2), in the thread pool. Nothing stops it there: aborting ends the waiting, and what it
 * comes to is thrown away.
 * @throws CalveError `aborted`
 */
export function deriveKey(
  secret: Uint8Array,
  { hash, salt, iterations, length }: KeyDerivation,
  signal?: AbortSignal,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const abort = () =>
    reject(new CalveError('aborted', 'opening the key was aborted', { cause: signal?.reason }));
  if (signal?.aborted) {
    abort();
    return promise;
  }
  signal?.addEventListener('abort', abort, { once: true });
  pbkdf2(secret, salt, iterations, length, hash, (error, key) => {
    signal?.removeEventListener('abort', abort);
    if (error) reject(error);
    else if (signal?.aborted) key.fill(0);
    else resolve(key);
  });
  return promise;
}
