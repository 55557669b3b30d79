import { join } from 'node:path';
import type { WritableDisk } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';
import { openFile } from '../../../host/index.ts';
import type { TreeChange } from '../../tree-change.ts';
import type { WriteOptions } from '../../write-options.ts';
import { corrupt } from '../corrupt.ts';
import { applyScratch } from './apply-scratch.ts';
import { saveBlockBitmaps } from './block-bitmaps.ts';
import { ExtChanges } from './ext-changes.ts';
import { ExtScratch } from './ext-scratch.ts';

/**
 * Changes the files of an ext2, ext3 or ext4 file system that nobody has mounted. All of it is done by e2fsprogs on a
 * copy of the metadata; what came of that is read again and compared with what was wanted, and checked by e2fsck, before
 * the first byte of the disk is written. Whoever needs the disk to be changed as a whole, whatever ends the process
 * while it is written, writes to a copy.
 *
 * @param disk the partition; stays open
 * @param changes directories ahead of what is in them
 * @throws CalveError `corrupt` when the file system is not sound; `unsupported` by feature, or without e2fsprogs;
 *   `no-space`; `invalid` when a source changed meanwhile; `aborted`: nothing is changed then
 */
export async function writeExt(
  disk: WritableDisk,
  changes: AsyncIterable<TreeChange>,
  options: WriteOptions,
): Promise<void> {
  const { folder, signal } = options;
  const scratch = await ExtScratch.make(disk, folder, 'scratch', signal);
  await using saved = await openFile(join(folder, 'bitmaps'), { create: true, mode: 0o600 });
  await scratch.reading((tree) => saveBlockBitmaps(tree, scratch.superblock, saved));
  {
    await using writer = new ExtChanges(scratch, options);
    for await (const change of changes) await writer.add(change);
    await writer.end();
  }
  const fault = await scratch.fault(signal);
  if (fault !== undefined) throw await blame(disk, fault, options);
  await applyScratch(disk, scratch, saved, signal);
}

/** Whether it was the file system or the writing. */
async function blame(
  disk: WritableDisk,
  fault: string,
  { folder, signal }: WriteOptions,
): Promise<CalveError> {
  const untouched = await ExtScratch.make(disk, folder, 'untouched', signal);
  const before = await untouched.fault(signal);
  if (before !== undefined) return corrupt('file system', `e2fsck says: ${before}`);
  return new CalveError('io', `e2fsck would find fault with the file system: ${fault}; nothing was changed`);
}
