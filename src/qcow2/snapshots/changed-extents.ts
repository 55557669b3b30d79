import type { Disk, Extent } from '../../disk/index.ts';
import { chainExtents } from '../disk-extents.ts';
import type { ClusterMap } from '../mapping/cluster-map.ts';
import { emptyMapping, type Mapping } from '../mapping/mapping.ts';

/**
 * The extents of a disk, its chain included, in which it may read otherwise than an earlier or later state of the same
 * image did. What both states map to the same clusters is left out unread, and an L2 table that both have unlooked at.
 * Neither map may change meanwhile.
 */
export async function* changedExtents(
  from: ClusterMap,
  to: ClusterMap,
  backing: Disk | null,
): AsyncGenerator<Extent> {
  const { size } = to.geometry;
  // A state reads nothing past its end, whatever lies below.
  const common = Math.min(from.geometry.size, size);
  let open: number | undefined;
  for (let at = 0; at < common; ) {
    const { equal, length } = await compareAt(from, to, at, common - at);
    if (!equal) open ??= at;
    if (equal && open !== undefined) {
      yield* chainExtents(to, backing, open, at - open);
      open = undefined;
    }
    at += length;
  }
  const start = open ?? common;
  if (start < size) yield* chainExtents(to, backing, start, size - start);
}

/** Whether two states map what starts at `offset` alike, and for how many bytes that is so. */
async function compareAt(
  from: ClusterMap,
  to: ClusterMap,
  offset: number,
  most: number,
): Promise<{ readonly equal: boolean; readonly length: number }> {
  const table = to.tableOffset(offset);
  const { tableCovers } = to.geometry;
  if (from.tableOffset(offset) === table) {
    return { equal: true, length: Math.min(most, tableCovers - (offset % tableCovers)) };
  }
  const [before, after] = [emptyMapping(), emptyMapping()];
  await from.map(offset, most, before);
  await to.map(offset, most, after);
  return { equal: alike(before, after), length: Math.min(before.length, after.length) };
}

function alike(a: Mapping, b: Mapping): boolean {
  const kind = readsAs(a);
  if (kind !== readsAs(b)) return false;
  return kind === 'zero' || kind === 'unallocated' || a.host === b.host;
}

/** A zero cluster reads zeros whether it keeps its place or not. */
function readsAs({ kind }: Mapping): Mapping['kind'] {
  return kind === 'zero-allocated' ? 'zero' : kind;
}
