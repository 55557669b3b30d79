import type { BlockRun } from './block-run.ts';
import type { Blocks } from './blocks.ts';
import type { ExtInode } from './ext-inode.ts';

/** i_block (ext4 disk layout, "Direct/Indirect Block Addressing"): 12 blocks, then one block of block numbers, of such, of such. */
const DIRECT = 12;

/** The runs of a file that is mapped block by block, in order, holes left out, up to block `end`. */
export async function* mapRuns(walk: Walk): AsyncGenerator<BlockRun> {
  const { blocks, inode } = walk;
  const perBlock = blocks.blockSize / 4;
  yield* joined(inode, blocks, listed(walk, inode.block.subarray(0, DIRECT * 4), 0, 0));
  let first = DIRECT;
  for (let depth = 1; depth <= 3; depth += 1) {
    const root = inode.block.subarray((DIRECT + depth - 1) * 4, (DIRECT + depth) * 4);
    yield* joined(inode, blocks, listed(walk, root, depth, first));
    first += perBlock ** depth;
  }
}

interface Walk {
  readonly blocks: Blocks;
  readonly inode: ExtInode;
  readonly from: number;
  readonly end: number;
  /** Told each block of numbers. */
  readonly onMap: ((block: number) => void) | undefined;
}

/** The blocks that a list of numbers leads to: at depth 0 by itself, else through lists of lists. */
async function* listed(walk: Walk, list: Buffer, depth: number, first: number): AsyncGenerator<BlockRun> {
  const { blocks, inode } = walk;
  const each = (blocks.blockSize / 4) ** depth;
  const skip = Math.max(0, Math.floor((walk.from - first) / each));
  for (let at = skip * 4, begin = first + skip * each; at < list.length; at += 4, begin += each) {
    if (begin >= walk.end) return;
    const block = list.readUInt32LE(at);
    if (block === 0) continue;
    if (depth === 0) yield { first: begin, count: 1, block };
    else {
      walk.onMap?.(block);
      const below = await blocks.metadata(block, `inode ${inode.number}: indirect block ${block}`);
      yield* listed(walk, below, depth - 1, begin);
    }
  }
}

/** Neighbours as one run. */
async function* joined(
  inode: ExtInode,
  blocks: Blocks,
  runs: AsyncIterable<BlockRun>,
): AsyncGenerator<BlockRun> {
  let first = 0;
  let count = 0;
  let block = 0;
  const where = `inode ${inode.number}: block map`;
  for await (const run of runs) {
    blocks.check(run.block ?? 0, 1, where);
    if (count > 0 && run.first === first + count && run.block === block + count) {
      count += 1;
      continue;
    }
    if (count > 0) yield { first, count, block };
    first = run.first;
    count = 1;
    block = run.block ?? 0;
  }
  if (count > 0) yield { first, count, block };
}
