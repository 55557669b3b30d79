import { imgError } from '../img-error.ts';

const MODES: ReadonlySet<string> = new Set([
  'none',
  'off',
  'directsync',
  'writeback',
  'unsafe',
  'writethrough',
]);

/**
 * Checks a cache mode, of which one alone makes a difference here: `unsafe` makes nothing durable.
 * @param what as in the message: `cache option`, `source cache option`
 * @returns whether it is `unsafe`
 * @throws CalveError in qemu-img's words
 */
export function isUnsafeCache(mode: string, what: string, exitCode = 1): boolean {
  if (!MODES.has(mode)) throw imgError(`Invalid ${what}: ${mode}`, { code: 'usage', exitCode });
  return mode === 'unsafe';
}
