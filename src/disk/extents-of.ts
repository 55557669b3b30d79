import { checkRange } from './check-range.ts';
import type { Disk, Extent } from './disk.ts';

/**
 * The extents of a range of any disk; one of data where the disk cannot tell.
 * @throws CalveError `out-of-range`
 */
export function extentsOf(disk: Disk, offset: number, length: number): AsyncIterable<Extent> {
  checkRange(disk, offset, length);
  return disk.extents?.(offset, length) ?? allData(offset, length);
}

async function* allData(offset: number, length: number): AsyncGenerator<Extent> {
  if (length > 0) yield { offset, length, kind: 'data', depth: 0 };
}
