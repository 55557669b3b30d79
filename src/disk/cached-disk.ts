import { CachedBlocks } from './cached-blocks.ts';
import { checkBlockSize } from './check-block-size.ts';
import type { Disk } from './disk.ts';
import { extentsOf } from './extents-of.ts';
import { RangeLocks } from './range-locks.ts';
import { type WrapOptions, type Wrapped, wrapDisk } from './wrap-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/** What a cache may take. */
export interface CacheOptions extends WrapOptions {
  /** The most bytes that are kept. */
  readonly bytes: number;
  /** Bytes that are read from the disk and kept as one (default 64 KiB). */
  readonly blockSize?: number;
}

/**
 * A read cache in front of a disk. `tryRead` serves what is kept, and else what the disk below serves at once; a block
 * that several reads wait for is read once; writes go to the disk, and what is kept follows. The disk must not be
 * changed past the cache.
 *
 * @throws CalveError `out-of-range` when the block size is no positive number
 * @example
 * await using disk = cachedDisk(slow, { bytes: 32 << 20 });
 */
export function cachedDisk<D extends Disk>(disk: D, options: CacheOptions): Wrapped<D>;
export function cachedDisk(disk: Disk, options: CacheOptions): Disk {
  const { bytes, blockSize = 64 * 1024 } = options;
  checkBlockSize(blockSize);
  const blocks = new CachedBlocks(disk, blockSize, bytes);
  const locks = new RangeLocks();
  /**
   * Changes the disk, then what is kept. Changes of one range wait for each other, or else what is kept could take
   * them in another order than the disk did. After a failure nobody knows what the disk holds.
   */
  const change = (offset: number, length: number, action: () => Promise<unknown>, keep: () => void) =>
    locks.run(offset, offset + length, async () => {
      try {
        await action();
      } catch (error) {
        blocks.forget(offset, length);
        throw error;
      }
      keep();
    });
  return wrapDisk(
    disk,
    {
      size: () => blocks.size,
      read: (into, offset) => blocks.read(into, offset),
      alwaysTries: true,
      tryRead: (into, offset) => blocks.tryRead(into, offset) || (disk.tryRead?.(into, offset) ?? false),
      extents: (offset, length) => extentsOf(disk, offset, length),
    },
    (writable) => ({
      write: (from, offset) => {
        const { length } = from;
        return change(
          offset,
          length,
          () => writable.write(from, offset),
          () => blocks.changed(offset, length, from),
        );
      },
      flush: () => writable.flush(),
      writeZeroes: (offset, length, how) =>
        change(
          offset,
          length,
          () => writeZeroesTo(writable, offset, length, how),
          () => blocks.changed(offset, length),
        ),
      discard: (offset, length) =>
        change(
          offset,
          length,
          async () => writable.discard?.(offset, length),
          () => blocks.forget(offset, length),
        ),
      resize: (size) =>
        change(
          0,
          Number.MAX_SAFE_INTEGER,
          async () => writable.resize?.(size),
          () => blocks.resized(size),
        ),
    }),
    options,
  );
}
