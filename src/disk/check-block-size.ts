import { CalveError } from '../errors/index.ts';

/**
 * Refuses what cannot be a number of bytes that are handled as one.
 * @throws CalveError `out-of-range`
 */
export function checkBlockSize(blockSize: number): void {
  if (Number.isSafeInteger(blockSize) && blockSize > 0) return;
  throw new CalveError('out-of-range', `expected a block size of 1 byte or more, got ${blockSize}`, {
    data: { blockSize },
  });
}
