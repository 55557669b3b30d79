import { checkRange } from './check-range.ts';
import type { Disk, Extent } from './disk.ts';
import { extentsOf } from './extents-of.ts';
import { type WrapOptions, type Wrapped, wrapDisk } from './wrap-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/**
 * A window on a disk: its byte 0 is the disk's byte `offset`, its size is `length`. A partition, for one. It has the
 * disk's capabilities but for resizing.
 *
 * @throws CalveError `out-of-range` when the window does not lie in the disk
 * @example
 * await using partition = sliceDisk(disk, 1 << 20, 512 << 20);
 */
export function sliceDisk<D extends Disk>(
  disk: D,
  offset: number,
  length: number,
  options?: WrapOptions,
): Wrapped<D>;
export function sliceDisk(disk: Disk, offset: number, length: number, options: WrapOptions = {}): Disk {
  checkRange(disk, offset, length);
  return wrapDisk(
    disk,
    {
      size: () => length,
      read: (into, at) => disk.read(into, offset + at),
      tryRead: (into, at) => disk.tryRead?.(into, offset + at) ?? false,
      extents: (at, bytes) => movedBack(extentsOf(disk, offset + at, bytes), offset),
    },
    (writable) => ({
      write: (from, at) => writable.write(from, offset + at),
      flush: () => writable.flush(),
      writeZeroes: (at, bytes, how) => writeZeroesTo(writable, offset + at, bytes, how),
      discard: async (at, bytes) => writable.discard?.(offset + at, bytes),
    }),
    options,
  );
}

async function* movedBack(extents: AsyncIterable<Extent>, distance: number): AsyncGenerator<Extent> {
  for await (const extent of extents) yield { ...extent, offset: extent.offset - distance };
}
