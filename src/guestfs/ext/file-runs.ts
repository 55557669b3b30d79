import { mapRuns } from './block-map.ts';
import type { BlockRun } from './block-run.ts';
import type { Blocks } from './blocks.ts';
import { corrupt } from './corrupt.ts';
import { type ExtInode, INODE_FLAG } from './ext-inode.ts';
import { extentRuns } from './extent-tree.ts';

/**
 * The runs of a file's blocks from block `from` up to its end, in order and without gaps; what is not mapped is a run
 * of zeros.
 *
 * @param hasChecksums whether the file system has them
 * @param onMap told the blocks that lead to the runs, each when it is read
 * @throws CalveError `corrupt`, also when more blocks are mapped than there are
 */
export async function* fileRuns(
  blocks: Blocks,
  inode: ExtInode,
  hasChecksums: boolean,
  from = 0,
  onMap?: (block: number) => void,
): AsyncGenerator<BlockRun> {
  const end = Math.ceil(inode.size / blocks.blockSize);
  const mapped =
    inode.flags & INODE_FLAG.extents
      ? extentRuns({ blocks, inode, hasChecksums, from, onMap })
      : mapRuns({ blocks, inode, from, end, onMap });
  let at = from;
  let total = 0;
  for await (const run of mapped) {
    if (run.first >= end) break;
    if (run.first > at) yield { first: at, count: run.first - at, block: null };
    const skipped = Math.max(0, at - run.first);
    const count = Math.min(run.count - skipped, end - run.first - skipped);
    // Numbers that point at the same blocks again and again would make a file of any length.
    if (run.block !== null) total += count;
    if (total > blocks.count)
      throw corrupt(`inode ${inode.number}`, `more blocks than the ${blocks.count} there are`);
    yield { first: run.first + skipped, count, block: run.block === null ? null : run.block + skipped };
    at = run.first + skipped + count;
  }
  if (at < end) yield { first: at, count: end - at, block: null };
}
