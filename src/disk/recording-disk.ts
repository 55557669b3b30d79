import { CompactBytes } from './compact-bytes.ts';
import type { WritableDisk } from './disk.ts';
import { DiskLog } from './disk-log.ts';
import { extentsOf } from './extents-of.ts';
import { type WrapOptions, wrapDisk } from './wrap-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/** A disk that keeps a log of what is done to it. */
export interface RecordingDisk extends WritableDisk {
  readonly log: DiskLog;
}

/**
 * A disk that keeps a log of every write, zeroing, discard, resize and flush, with contents, so that `crashStates` and
 * `replay` can make what a loss of power would have left.
 *
 * @example
 * const disk = recordingDisk(new MemoryDisk(1 << 20));
 * await work(disk);
 * for (const { cut, lost } of crashStates(disk.log, { random, samples: 8 })) {
 *   await using left = new MemoryDisk(1 << 20);
 *   await replay(disk.log, cut, lost, left);
 *   await check(left);
 * }
 */
export function recordingDisk(disk: WritableDisk, options?: WrapOptions): RecordingDisk {
  const log = new DiskLog();
  const recording = wrapDisk(
    disk,
    {
      size: () => disk.size,
      read: (into, offset) => disk.read(into, offset),
      tryRead: (into, offset) => disk.tryRead?.(into, offset) ?? false,
      extents: (offset, length) => extentsOf(disk, offset, length),
    },
    () => ({
      write: (from, offset) =>
        log.record({ kind: 'write', offset, length: from.length, contents: new CompactBytes(from) }, () =>
          disk.write(from, offset),
        ),
      flush: () => log.record({ kind: 'flush', offset: 0, length: 0 }, () => disk.flush()),
      writeZeroes: (offset, length, how) =>
        log.record({ kind: 'writeZeroes', offset, length }, () => writeZeroesTo(disk, offset, length, how)),
      discard: (offset, length) =>
        log.record({ kind: 'discard', offset, length }, async () => disk.discard?.(offset, length)),
      resize: (size) =>
        log.record({ kind: 'resize', offset: 0, length: size }, async () => disk.resize?.(size)),
    }),
    options,
  );
  return Object.assign(recording, { log });
}
