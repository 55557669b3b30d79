import type { Disk, Extent } from './disk.ts';
import type { DiskOperation } from './disk-operation.ts';
import { extentsOf } from './extents-of.ts';
import { type WrapOptions, wrapDisk } from './wrap-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/** What is done about each operation on its way to a disk. */
export interface Interceptor {
  /** Calls `pass` to let the operation through; with a length, only so much of a write from its start. */
  around(operation: DiskOperation, pass: (length?: number) => Promise<void>): Promise<void>;
  /** Reads with `quickRead` or declines; `operation` counts it as one. */
  tryRead(quickRead: () => boolean, operation: () => DiskOperation): boolean;
}

/** A disk whose operations, closing excepted, each pass an interceptor. */
export function interceptDisk(disk: Disk, interceptor: Interceptor, options?: WrapOptions): Disk {
  let count = 0;
  const next = (kind: DiskOperation['kind'], offset: number, length: number): DiskOperation => ({
    kind,
    offset,
    length,
    index: count++,
  });
  const around: Interceptor['around'] = (operation, pass) => interceptor.around(operation, pass);
  return wrapDisk(
    disk,
    {
      size: () => disk.size,
      read: (into, offset) => around(next('read', offset, into.length), () => disk.read(into, offset)),
      tryRead: (into, offset) =>
        interceptor.tryRead(
          () => disk.tryRead?.(into, offset) ?? false,
          () => next('read', offset, into.length),
        ),
      async *extents(offset, length): AsyncGenerator<Extent> {
        let passed: AsyncIterable<Extent> | undefined;
        await around(next('extents', offset, length), async () => {
          passed = extentsOf(disk, offset, length);
        });
        if (passed) yield* passed;
      },
    },
    (writable) => ({
      write: (from, offset) =>
        around(next('write', offset, from.length), (length = from.length) =>
          writable.write(from.subarray(0, length), offset),
        ),
      flush: () => around(next('flush', 0, 0), () => writable.flush()),
      writeZeroes: (offset, length, how) =>
        around(next('writeZeroes', offset, length), (part = length) =>
          writeZeroesTo(writable, offset, part, how),
        ),
      discard: (offset, length) =>
        around(next('discard', offset, length), async (part = length) => writable.discard?.(offset, part)),
      resize: (size) => around(next('resize', 0, size), async () => writable.resize?.(size)),
    }),
    options,
  );
}
