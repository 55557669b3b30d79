import { CalveError } from '../../../errors/index.ts';
import { BlockSet } from '../block-set.ts';
import { corrupt } from '../corrupt.ts';
import type { ExtTree } from '../ext-tree.ts';
import { COMPAT, INCOMPAT } from '../features.ts';
import { loggedBlocks, openExt, readSuperblock } from '../open-ext.ts';
import type { Superblock } from '../superblock.ts';
import type { CopyingDisk } from './copying-disk.ts';

/**
 * Copies all of a file system's metadata: what e2fsprogs reads of it, and content of no ordinary file. With a journal
 * that has to be replayed, that and the blocks it names come along, as they lie on the disk.
 *
 * @throws CalveError `corrupt`, `unsupported` for what cannot be read
 */
export async function fillScratch(disk: CopyingDisk, signal: AbortSignal | undefined): Promise<void> {
  const superblock = await readSuperblock(disk);
  const isDirty = (superblock.incompat & INCOMPAT.needsRecovery) !== 0;
  if (isDirty) for (const block of (await loggedBlocks(disk, superblock)).keys()) await disk.copy(block, 1);
  // Shows the file system as it is once the journal is replayed, and so where its metadata lies.
  await using tree = await openExt(disk, 0);
  const maps = new BlockSet();
  for (let group = 0; group < superblock.groups; group += 1) {
    await copyGroup(disk, tree, superblock, group);
    await copyInodes(tree, superblock, { group, maps, signal });
  }
  if (superblock.mmpBlock > 0) await disk.copy(superblock.mmpBlock, 1);
  const { journalInode, orphanFile, compat } = superblock;
  if (compat & COMPAT.hasJournal && journalInode > 0) {
    // Of a journal that is not replayed e2fsprogs reads what it says of itself.
    await copyContent(tree, journalInode, isDirty ? Number.POSITIVE_INFINITY : superblock.blockSize);
  }
  if (orphanFile > 0) await copyContent(tree, orphanFile, Number.POSITIVE_INFINITY);
}

/** Where the superblock, descriptors, bitmaps and the used part of the inode table of a group lie. */
async function copyGroup(
  disk: CopyingDisk,
  tree: ExtTree,
  { inodeSize, blockSize }: Superblock,
  group: number,
): Promise<void> {
  const { first, count } = tree.groups.copiesIn(group);
  await disk.copy(first, count);
  const places = await tree.groups.places(group);
  await disk.copy(places.blockBitmap, 1);
  await disk.copy(places.inodeBitmap, 1);
  await disk.copy(places.inodeTable, Math.ceil((places.usedInodes * inodeSize) / blockSize));
}

/** What the inodes of a group lead to: directories, long symlinks, maps of blocks, attributes. */
async function copyInodes(
  tree: ExtTree,
  { inodesPerGroup }: Superblock,
  { group, maps, signal }: { group: number; maps: BlockSet; signal: AbortSignal | undefined },
): Promise<void> {
  const { hasInodeBitmap, inodeBitmap, usedInodes } = await tree.groups.places(group);
  if (!hasInodeBitmap) return;
  const bitmap = await tree.metadata(inodeBitmap, `inode bitmap of group ${group}`);
  for (let at = 0; at < usedInodes; at += 1) {
    if ((((bitmap[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 0) continue;
    if (signal?.aborted === true) throw new CalveError('aborted', 'reading the file system was ended');
    await visit(tree, group * inodesPerGroup + at + 1, maps);
  }
}

/**
 * Reading is what copies.
 * @param maps the blocks that lead to files: those that files had in common would be gone through for ever
 */
async function visit(tree: ExtTree, number: number, maps: BlockSet): Promise<void> {
  let inode: Awaited<ReturnType<ExtTree['stat']>>;
  try {
    inode = await tree.stat(number);
  } catch (error) {
    // Numbers that are set apart count as used.
    if (CalveError.is(error, 'not-found')) return;
    throw error;
  }
  if (inode.type === 'directory') for await (const _ of tree.list(inode));
  else if (inode.type === 'symlink') await tree.readLink(inode);
  else if (inode.type === 'file') {
    const claim = (block: number): void => {
      if (maps.has(block))
        throw corrupt(`inode ${number}`, `block ${block} maps another file, or this one twice`);
      maps.add(block, 1);
    };
    for await (const _ of tree.extents(inode, claim));
  }
  await tree.xattrs(inode);
}

async function copyContent(tree: ExtTree, number: number, most: number): Promise<void> {
  const inode = await tree.stat(number);
  const buffer = Buffer.alloc(1 << 20);
  for (let at = 0; at < Math.min(inode.size, most); at += buffer.length) {
    const length = Math.min(buffer.length, most - at, inode.size - at);
    await tree.read(inode, at, buffer.subarray(0, length));
  }
}
