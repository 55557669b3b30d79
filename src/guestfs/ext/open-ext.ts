import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { type ExtParts, ExtTree } from './ext-tree.ts';
import { INCOMPAT } from './features.ts';
import { JournalFile } from './journal/journal-file.ts';
import { parseJournalSuperblock } from './journal/journal-superblock.ts';
import { type LoggedBlock, readJournal } from './journal/read-journal.ts';
import { ReplayedDisk } from './journal/replayed-disk.ts';
import { parseSuperblock, SUPERBLOCK_AT, SUPERBLOCK_SIZE, type Superblock } from './superblock.ts';

/**
 * Opens an ext2, ext3 or ext4 file system for reading. A journal that has to be replayed is, in memory.
 *
 * @param disk the partition; stays open
 * @param diskOffset where it begins on the whole disk, in bytes
 * @throws CalveError `invalid` when it is none, `unsupported` by feature, `corrupt`
 */
export async function openExt(
  disk: Disk,
  diskOffset: number,
  { keptBytes }: Pick<ExtParts, 'keptBytes'> = {},
): Promise<ExtTree> {
  if (disk.size < SUPERBLOCK_AT + SUPERBLOCK_SIZE) {
    throw new CalveError('invalid', `expected a file system, got a partition of ${disk.size} bytes`);
  }
  const superblock = await readSuperblock(disk);
  if (!(superblock.incompat & INCOMPAT.needsRecovery)) {
    return new ExtTree({ disk, diskOffset, superblock, replayed: [], keptBytes });
  }
  const logged = await loggedBlocks(disk, superblock);
  const replayed = new ReplayedDisk(disk, superblock.blockSize, logged);
  return new ExtTree({
    disk: replayed,
    diskOffset,
    // The superblock itself may be in the journal.
    superblock: await readSuperblock(replayed),
    replayed: [...logged.keys()],
    keptBytes,
  });
}

export async function readSuperblock(disk: Disk): Promise<Superblock> {
  const bytes = Buffer.alloc(SUPERBLOCK_SIZE);
  await disk.read(bytes, SUPERBLOCK_AT);
  return parseSuperblock(bytes, disk.size);
}

export async function loggedBlocks(disk: Disk, superblock: Superblock): Promise<Map<number, LoggedBlock>> {
  const { journalInode, blockSize } = superblock;
  if (journalInode === 0) {
    throw new CalveError(
      'unsupported',
      'the file system was not shut down, and its journal is on another disk',
      {
        hint: 'start the guest once, so that Linux replays the journal',
      },
    );
  }
  await using tree = new ExtTree({ disk, diskOffset: 0, superblock, replayed: [] });
  const file = await JournalFile.open(disk, tree, journalInode, blockSize);
  const journal = parseJournalSuperblock(await file.read(0), file.blocks);
  return readJournal(file, journal, superblock.blocks);
}
