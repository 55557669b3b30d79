import type { Disk, Extent, WritableDisk, ZeroOptions } from './disk.ts';
import { extentsOf } from './extents-of.ts';
import { isWritable } from './is-writable.ts';
import { type Wrapped, wrapDisk } from './wrap-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/**
 * Disks one behind the other, as one whose size is their sum. It can be written where all of them can; it cannot be
 * resized, and does not notice that one of them is. Closing it closes them all.
 *
 * @example
 * await using disk = concatenatedDisk([first, second]);
 */
export function concatenatedDisk<D extends Disk>(disks: readonly D[]): Wrapped<D>;
export function concatenatedDisk(disks: readonly Disk[]): Disk {
  const joined = joinedDisk(disks);
  return wrapDisk(
    disks.every(isWritable) ? joined : withoutWriting(joined),
    {
      size: () => joined.size,
      read: (into, offset) => joined.read(into, offset),
      tryRead: (into, offset) => joined.tryRead(into, offset),
      extents: (offset, length) => joined.extents(offset, length),
    },
    (writable) => ({
      write: (from, offset) => writable.write(from, offset),
      flush: () => writable.flush(),
      writeZeroes: (offset, length, how) => writeZeroesTo(writable, offset, length, how),
      discard: async (offset, length) => writable.discard?.(offset, length),
    }),
  );
}

/** A part of a range that lies in one disk. */
interface Part {
  readonly disk: Disk;
  /** In the disk. */
  readonly offset: number;
  readonly length: number;
  /** Where it begins in the range. */
  readonly at: number;
}

type JoinedDisk = WritableDisk & Required<Pick<WritableDisk, 'tryRead' | 'extents'>>;

/** Ranges are checked by whoever wraps it, and writing where it cannot be is kept from it. */
function joinedDisk(disks: readonly Disk[]): JoinedDisk {
  const starts: number[] = [];
  let size = 0;
  for (const disk of disks) {
    starts.push(size);
    size += disk.size;
  }
  const ends = starts.map((start, index) => starts[index + 1] ?? Math.max(size, start));

  function partsOf(offset: number, length: number): Part[] {
    return disks.flatMap((disk, index) => {
      const [start = 0, end = 0] = [starts[index], ends[index]];
      const [from, to] = [Math.max(offset, start), Math.min(offset + length, end)];
      return from < to ? [{ disk, offset: from - start, length: to - from, at: from - offset }] : [];
    });
  }

  async function change(
    offset: number,
    length: number,
    does: (disk: WritableDisk, part: Part) => Promise<void>,
  ): Promise<void> {
    const changes = partsOf(offset, length).map((part) =>
      isWritable(part.disk) ? does(part.disk, part) : undefined,
    );
    await allOf(changes);
  }

  const close = () => allOf(disks.map((disk) => disk.close()));
  return {
    size,
    async read(into, offset) {
      const parts = partsOf(offset, into.length);
      await allOf(
        parts.map((part) => part.disk.read(into.subarray(part.at, part.at + part.length), part.offset)),
      );
    },
    tryRead: (into, offset) =>
      partsOf(offset, into.length).every(
        (part) => part.disk.tryRead?.(into.subarray(part.at, part.at + part.length), part.offset) ?? false,
      ),
    async *extents(offset, length): AsyncGenerator<Extent> {
      for (const part of partsOf(offset, length)) {
        const distance = offset + part.at - part.offset;
        for await (const extent of extentsOf(part.disk, part.offset, part.length)) {
          yield { ...extent, offset: extent.offset + distance };
        }
      }
    },
    write: (from, offset) =>
      change(offset, from.length, (disk, { at, length, offset: into }) =>
        disk.write(from.subarray(at, at + length), into),
      ),
    flush: () => allOf(disks.map((disk) => (isWritable(disk) ? disk.flush() : undefined))),
    writeZeroes: (offset, length, how: ZeroOptions = {}) =>
      change(offset, length, (disk, part) => writeZeroesTo(disk, part.offset, part.length, how)),
    discard: (offset, length) =>
      change(offset, length, async (disk, part) => disk.discard?.(part.offset, part.length)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function withoutWriting({ size, read, tryRead, extents, close }: JoinedDisk): Disk {
  return { size, read, tryRead, extents, close, [Symbol.asyncDispose]: close };
}

/** Waits for all, also when one fails; then throws its error. */
async function allOf(promises: readonly (Promise<void> | undefined)[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((each) => each.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
