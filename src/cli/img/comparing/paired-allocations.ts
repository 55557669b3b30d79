import type { Range } from '../../../img/index.ts';
import { type Allocation, merged } from '../mapping/allocation.ts';
import { mapNode } from '../mapping/map-node.ts';
import type { BlockNode } from '../opening/block-node.ts';

/** A range in which each of two images is of one kind. */
export interface PairedAllocation extends Range {
  readonly left: Allocation;
  readonly right: Allocation;
}

/** The ranges of two images side by side, as far as the shorter one goes; past `offset` the longer one alone. */
export async function* pairedAllocations(a: BlockNode, b: BlockNode): AsyncGenerator<PairedAllocation> {
  const end = Math.min(a.disk.size, b.disk.size);
  if (end === 0) return;
  const [lefts, rights] = [a, b].map((node) => merged(mapNode(node, 0, end))) as [Allocations, Allocations];
  try {
    let left = await nextOf(lefts);
    let right = await nextOf(rights);
    for (let offset = 0; offset < end; ) {
      const until = Math.min(left.offset + left.length, right.offset + right.length);
      yield { offset, length: until - offset, left, right };
      offset = until;
      if (offset < end && left.offset + left.length === offset) left = await nextOf(lefts);
      if (offset < end && right.offset + right.length === offset) right = await nextOf(rights);
    }
  } finally {
    await lefts.return(undefined);
    await rights.return(undefined);
  }
}

type Allocations = AsyncGenerator<Allocation>;

async function nextOf(allocations: Allocations): Promise<Allocation> {
  const { value, done } = await allocations.next();
  if (done === true) throw new RangeError('the map of an image ends ahead of its disk');
  return value;
}
