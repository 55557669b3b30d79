import { CalveError } from '../errors/index.ts';

/**
 * Refuses a range that does not lie in a disk. An empty range lies in it up to its very end.
 * @throws CalveError `out-of-range`
 */
export function checkRange(disk: { readonly size: number }, offset: number, length: number): void {
  if (
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0 &&
    offset <= disk.size - length
  ) {
    return;
  }
  throw new CalveError(
    'out-of-range',
    `expected a range inside the disk's ${disk.size} bytes, got ${length} bytes at ${offset}`,
    { data: { offset, length, size: disk.size } },
  );
}
