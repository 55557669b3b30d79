import type { WritableDisk } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';
import { type HostFile, openFile } from '../../../host/index.ts';
import { addNewBlocks } from './block-bitmaps.ts';
import type { ExtScratch } from './ext-scratch.ts';

/** Bytes that are compared at a time. */
const PIECE = 1 << 20;

/**
 * Writes to the disk what is otherwise in the scratch: of blocks that came from there, and of those that came into use.
 * All else that the file system has is not in the scratch and stays as it is.
 *
 * @param saved the bitmaps of blocks as they were before anything was changed
 */
export async function applyScratch(
  disk: WritableDisk,
  scratch: ExtScratch,
  saved: HostFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { superblock, copied } = scratch;
  const { blockSize, inodeSize, groups } = superblock;
  await scratch.reading(async (tree) => {
    for (let group = 0; group < groups; group += 1) {
      // Inodes beyond those that had been used before: nothing of them was copied.
      const { inodeTable, usedInodes } = await tree.groups.places(group);
      copied.add(inodeTable, Math.ceil((usedInodes * inodeSize) / blockSize));
    }
    await addNewBlocks(tree, superblock, saved, copied);
  });
  await using file = await openFile(scratch.path);
  const now = Buffer.allocUnsafe(PIECE);
  const before = Buffer.allocUnsafe(PIECE);
  for (const { first, count } of copied.runs()) {
    for (let at = 0; at < count; at += PIECE / blockSize) {
      if (signal?.aborted === true) throw new CalveError('aborted', 'writing the file system was ended');
      const offset = (first + at) * blockSize;
      const length = Math.min(PIECE, (count - at) * blockSize, disk.size - offset);
      const wanted = now.subarray(0, length);
      const there = before.subarray(0, length);
      wanted.fill(0);
      file.readSync(wanted, offset);
      await disk.read(there, offset);
      await writeDifferent(disk, offset, wanted, there, blockSize);
    }
  }
  await disk.flush();
}

async function writeDifferent(
  disk: WritableDisk,
  offset: number,
  wanted: Buffer,
  there: Buffer,
  blockSize: number,
): Promise<void> {
  const differs = (at: number): boolean =>
    wanted.compare(there, at, at + blockSize, at, at + blockSize) !== 0;
  for (let at = 0; at < wanted.length; ) {
    if (!differs(at)) {
      at += blockSize;
      continue;
    }
    const from = at;
    while (at < wanted.length && differs(at)) at += blockSize;
    await disk.write(wanted.subarray(from, at), offset + from);
  }
}
