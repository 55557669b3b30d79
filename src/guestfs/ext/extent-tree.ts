import type { BlockRun } from './block-run.ts';
import type { Blocks } from './blocks.ts';
import { checkChecksum, corrupt } from './corrupt.ts';
import { crc32c } from './crc32c.ts';
import type { ExtInode } from './ext-inode.ts';

// A node (ext4 disk layout, "Extent Tree"): header of 12 bytes: 0 magic · 2 entries u16 · 4 room u16 · 6 depth u16;
//   entries of 12 bytes. Inner: 0 first block · 4 child, low · 8 child, high u16.
//   Leaf: 0 first block · 4 length u16, above 32768 unwritten · 6 place, high u16 · 8 place, low.
//   Behind the room for entries: the checksum, but for the root, which lies in the inode.
const MAGIC = 0xf30a;
const ENTRY = 12;
const MOST_DEPTH = 5;
const LONGEST_WRITTEN = 32_768;

interface Node {
  readonly where: string;
  readonly bytes: Buffer;
  readonly depth: number;
  readonly entries: number;
}

/** The runs of a file's extents, in order, holes left out, from the run on that holds or follows block `from`. */
export async function* extentRuns(walk: Walk): AsyncGenerator<BlockRun> {
  const { inode } = walk;
  const where = `inode ${inode.number}: extent tree`;
  const root = checkNode({ where, bytes: inode.block }, undefined);
  yield* runsBelow(walk, root, 0, 2 ** 32);
}

interface Walk {
  readonly blocks: Blocks;
  readonly inode: ExtInode;
  readonly hasChecksums: boolean;
  readonly from: number;
  /** Told each node below the root. */
  readonly onMap: ((block: number) => void) | undefined;
}

/** A node's entries lie within the range of its entry above, so that no block of a file is told twice. */
async function* runsBelow(walk: Walk, node: Node, low: number, high: number): AsyncGenerator<BlockRun> {
  const { where, bytes } = node;
  let least = low;
  for (let index = 0; index < node.entries; index += 1) {
    const at = ENTRY + index * ENTRY;
    const first = bytes.readUInt32LE(at);
    const next = index + 1 < node.entries ? bytes.readUInt32LE(at + ENTRY) : high;
    if (first < least || next <= first || next > high) {
      throw corrupt(where, `entry ${index} begins at block ${first}, expected ${least} to ${high}`);
    }
    if (node.depth === 0) {
      const run = leafRun(walk.blocks, node, at);
      least = first + run.count;
      if (least > next) throw corrupt(where, `entry ${index} ends at block ${least}, behind ${next}`);
      if (least > walk.from) yield run;
    } else {
      least = next;
      if (next <= walk.from) continue;
      const child = await readNode(
        walk,
        node,
        bytes.readUInt32LE(at + 4) + bytes.readUInt16LE(at + 8) * 2 ** 32,
      );
      yield* runsBelow(walk, child, first, next);
    }
  }
}

function leafRun(blocks: Blocks, { where, bytes }: Node, at: number): BlockRun {
  const length = bytes.readUInt16LE(at + 4);
  const unwritten = length > LONGEST_WRITTEN;
  const count = unwritten ? length - LONGEST_WRITTEN : length;
  if (count === 0) throw corrupt(where, 'an extent of no blocks');
  const block = bytes.readUInt32LE(at + 8) + bytes.readUInt16LE(at + 6) * 2 ** 32;
  blocks.check(block, count, where);
  return { first: bytes.readUInt32LE(at), count, block: unwritten ? null : block };
}

async function readNode(
  { blocks, inode, hasChecksums, onMap }: Walk,
  above: Node,
  block: number,
): Promise<Node> {
  onMap?.(block);
  const where = `inode ${inode.number}: extent block ${block}`;
  const node = checkNode({ where, bytes: await blocks.metadata(block, where) }, above.depth - 1);
  if (hasChecksums) {
    const at = ENTRY + node.bytes.readUInt16LE(4) * ENTRY;
    checkChecksum(where, node.bytes.readUInt32LE(at), crc32c(inode.checksumSeed, node.bytes, 0, at));
  }
  return node;
}

/** @param depth what it must be; of the root, whatever it says */
function checkNode({ where, bytes }: Pick<Node, 'where' | 'bytes'>, depth: number | undefined): Node {
  const magic = bytes.readUInt16LE(0);
  const entries = bytes.readUInt16LE(2);
  const room = bytes.readUInt16LE(4);
  const own = bytes.readUInt16LE(6);
  if (magic !== MAGIC) throw corrupt(where, `expected the magic number 0xf30a, got 0x${magic.toString(16)}`);
  if (own > MOST_DEPTH || (depth !== undefined && own !== depth)) {
    throw corrupt(where, `depth ${own}, expected ${depth ?? `at most ${MOST_DEPTH}`}`);
  }
  // Behind the room of a block at least the checksum fits; i_block ends with the room.
  const most = Math.floor((bytes.length - ENTRY) / ENTRY);
  if (room > most || entries > room)
    throw corrupt(where, `${entries} entries, room for ${room} of at most ${most}`);
  return { where, bytes, depth: own, entries };
}
