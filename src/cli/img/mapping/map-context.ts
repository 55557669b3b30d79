import type { BlockNode } from '../opening/block-node.ts';
import type { Allocation } from './allocation.ts';

const HOLE = 1;
const ZERO = 2;
const DEPTH = 'qemu:allocation-depth';

/** A metadata context that was named to take the place of the allocation. */
export type NamedContext = NonNullable<BlockNode['context']>;

/**
 * What a context says of a range, as QEMU tells it: as if it were the allocation, whose bits are a hole and zeros. So what
 * is dirty is a hole, and of depths the layer itself is one, and all below it count as 2, which are zeros.
 * @param start of the range's disk in the export, bytes
 */
export async function* mapContext(
  { name, statuses }: NamedContext,
  { start, offset, length }: { readonly start: number; readonly offset: number; readonly length: number },
  found: Pick<Allocation, 'depth' | 'filename'>,
): AsyncGenerator<Allocation> {
  for await (const range of statuses(start + offset, length)) {
    const flags = name === DEPTH ? Math.min(range.flags, ZERO) : range.flags;
    const data = (flags & HOLE) === 0;
    const zero = (flags & ZERO) !== 0;
    const present = data || zero;
    yield {
      offset: range.offset - start,
      length: range.length,
      depth: found.depth,
      present,
      zero,
      data,
      host: present ? range.offset : undefined,
      filename: present ? found.filename : undefined,
    };
  }
}
