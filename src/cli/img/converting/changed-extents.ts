import { type Disk, type Extent, extentsOf } from '../../../disk/index.ts';

/**
 * What an image has that its backing file has not, by its structure: what a target holds that is based on the same. Past
 * the end of the backing file that is zeros, where nobody wrote.
 * @param backing bytes of the backing file; undefined: there is none, and the whole is the image's own
 * @param targetBacking bytes of the target's backing file, past whose end a new target reads zeros; undefined: not known
 */
export async function* changedExtents(
  disk: Disk,
  backing: number | undefined,
  targetBacking: number | undefined,
): AsyncGenerator<Extent> {
  for await (const extent of extentsOf(disk, 0, disk.size)) {
    for (const part of ownParts(extent, backing)) {
      if (part.kind === 'data') yield part;
      else yield* before(part, targetBacking ?? Number.POSITIVE_INFINITY);
    }
  }
}

function* ownParts(extent: Extent, backing: number | undefined): Generator<Extent> {
  const isOwn = extent.depth === 0 && extent.kind !== 'unallocated';
  if (isOwn || backing === undefined) yield extent;
  else {
    const from = Math.max(extent.offset, backing);
    const length = extent.offset + extent.length - from;
    if (length > 0) yield { offset: from, length, kind: 'zero', depth: 0 };
  }
}

function* before(extent: Extent, end: number): Generator<Extent> {
  const length = Math.min(extent.length, end - extent.offset);
  if (length > 0) yield { ...extent, length };
}
