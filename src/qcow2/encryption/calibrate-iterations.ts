import { pbkdf2Sync } from 'node:crypto';
import { digestBytes, type HashName } from './hash-name.ts';

/** LUKS asks for at least a thousand (specification, section 4.1). */
const LEAST = 1000;
/** What Node's PBKDF2 can count to. */
export const MOST_ITERATIONS: number = 2 ** 31 - 1;
/** A measurement of at least this many microseconds counts. */
const ENOUGH = 50_000;
const FIRST_TRY = 4096;

/**
 * Finds out how fast PBKDF2 is here, in about 0.1 s, and returns a function that says how many iterations fit in
 * `time` milliseconds for a key of `length` bytes, at least 1000. It is this thread's time that counts, because
 * waiting for other processes makes no passphrase harder to guess.
 */
export function calibrateIterations(hash: HashName): (length: number, time: number) => number {
  const rate = digestsPerMillisecond(hash);
  return (length, time) => {
    // Each further digest that the key takes costs as many iterations again.
    const iterations = (rate * time) / Math.ceil(length / digestBytes(hash));
    return Math.floor(Math.min(MOST_ITERATIONS, Math.max(LEAST, iterations)));
  };
}

function digestsPerMillisecond(hash: HashName): number {
  for (let iterations = FIRST_TRY; ; iterations *= 2) {
    const before = process.threadCpuUsage();
    pbkdf2Sync('passphrase', 'salt', iterations, digestBytes(hash), hash);
    const { user, system } = process.threadCpuUsage(before);
    if (user + system >= ENOUGH) return (iterations * 1000) / (user + system);
  }
}
