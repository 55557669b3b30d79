import type { HostFile } from '../../../host/index.ts';
import type { BlockSet } from '../block-set.ts';
import type { ExtTree } from '../ext-tree.ts';
import type { Superblock } from '../superblock.ts';

/** Keeps a file system's bitmaps of blocks in a file, group after group, each of a block's length. */
export async function saveBlockBitmaps(tree: ExtTree, superblock: Superblock, file: HostFile): Promise<void> {
  for (let group = 0; group < superblock.groups; group += 1) {
    const { blockBitmap, hasBlockBitmap } = await tree.groups.places(group);
    if (!hasBlockBitmap) continue;
    const bitmap = await tree.metadata(blockBitmap, `block bitmap of group ${group}`);
    file.writeSync(bitmap, group * superblock.blockSize);
  }
}

/** Adds to a set the blocks that came into use since the bitmaps were saved. */
export async function addNewBlocks(
  tree: ExtTree,
  superblock: Superblock,
  saved: HostFile,
  set: BlockSet,
): Promise<void> {
  const { blockSize, clusterSize, firstDataBlock, blocksPerGroup, blocks, groups } = superblock;
  const perCluster = clusterSize / blockSize;
  const before = Buffer.alloc(blockSize);
  for (let group = 0; group < groups; group += 1) {
    const { blockBitmap, hasBlockBitmap } = await tree.groups.places(group);
    if (!hasBlockBitmap) continue;
    const now = await tree.metadata(blockBitmap, `block bitmap of group ${group}`);
    before.fill(0);
    saved.readSync(before, group * blockSize);
    if (now.equals(before)) continue;
    const start = firstDataBlock + group * blocksPerGroup;
    const clusters = Math.floor(Math.min(blocksPerGroup, blocks - start) / perCluster);
    for (let at = 0; at < clusters; at += 1) {
      const isNew = (((now[at >>> 3] ?? 0) & ~(before[at >>> 3] ?? 0)) >>> (at & 7)) & 1;
      if (isNew) set.add(start + at * perCluster, perCluster);
    }
  }
}
