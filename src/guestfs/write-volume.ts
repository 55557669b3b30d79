import { sliceDisk, type WritableDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { writeExt } from './ext/write/write-ext.ts';
import { writeFat } from './fat/write-fat.ts';
import type { FileSystemKind } from './file-system-kind.ts';
import type { GuestVolume } from './guest-volume.ts';
import type { TreeChange } from './tree-change.ts';
import type { WriteOptions } from './write-options.ts';

type Writer = (
  disk: WritableDisk,
  changes: AsyncIterable<TreeChange>,
  options: WriteOptions,
) => Promise<void>;

/** What changes the files of each kind of file system that is written here. */
const WRITERS: Partial<Record<FileSystemKind, Writer>> = {
  ext2: writeExt,
  ext3: writeExt,
  ext4: writeExt,
  fat: writeFat,
};

/**
 * What changes the files of a volume: whoever must open it to know what to write asks ahead of that.
 * @throws CalveError `unsupported` by name when it is none that is written here
 */
export function writerFor(volume: GuestVolume): Writer {
  const write = volume.kind === null ? undefined : WRITERS[volume.kind];
  if (write !== undefined && volume.isReadHere) return write;
  throw new CalveError('unsupported', `${volume.describe()}: nothing is written into such a file system`, {
    hint: 'start the guest, and copy there',
    data: { partition: volume.number, kind: volume.kind },
  });
}

/**
 * Changes the files of a file system inside a disk. Whoever needs all or nothing of it, whatever ends the process, has
 * it done on a copy.
 *
 * @param disk the whole disk; stays open
 * @throws CalveError `unsupported` by name when it is none that is written here; what the writer throws
 */
export async function writeVolume(
  disk: WritableDisk,
  volume: GuestVolume,
  changes: AsyncIterable<TreeChange>,
  options: WriteOptions,
): Promise<void> {
  const write = writerFor(volume);
  await using part = sliceDisk(disk, volume.offset, volume.size, { leaveOpen: true });
  await write(part, changes, options);
}
