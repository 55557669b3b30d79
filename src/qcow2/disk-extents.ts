import { type Disk, type Extent, extentsOf } from '../disk/index.ts';
import type { ClusterMap } from './mapping/cluster-map.ts';
import { emptyMapping } from './mapping/mapping.ts';
import type { ClusterKind } from './table-entry.ts';

/** The extents of one image, neighbours of one kind merged; `unallocated` is what lies below. */
export async function* ownExtents(map: ClusterMap, offset: number, length: number): AsyncGenerator<Extent> {
  const end = offset + length;
  const mapping = emptyMapping();
  let open: Extent | undefined;
  for (let at = offset; at < end; at += mapping.length) {
    if (!map.tryMap(at, end - at, mapping)) await map.map(at, end - at, mapping);
    const kind = kindOf(mapping.kind);
    if (open?.kind === kind) {
      open = { ...open, length: open.length + mapping.length };
    } else {
      if (open) yield open;
      open = { offset: at, length: mapping.length, kind, depth: 0 };
    }
  }
  if (open) yield open;
}

/** Where a range of the disk lies in the file that holds guest data. Offsets and lengths are bytes. */
export interface HostExtent {
  readonly offset: number;
  readonly length: number;
  /** As the L2 entries say it; `zero-allocated` reads zeros and has its place all the same. */
  readonly kind: ClusterKind;
  /** Of the first byte; undefined of what has no place of its own. */
  readonly host: number | undefined;
}

/** The places of one image's clusters, neighbours merged that lie one behind the other. */
export async function* hostExtents(
  map: ClusterMap,
  offset: number,
  length: number,
): AsyncGenerator<HostExtent> {
  const end = offset + length;
  const mapping = emptyMapping();
  let open: HostExtent | undefined;
  for (let at = offset; at < end; at += mapping.length) {
    if (!map.tryMap(at, end - at, mapping)) await map.map(at, end - at, mapping);
    const { kind } = mapping;
    const host = kind === 'data' || kind === 'zero-allocated' ? mapping.host : undefined;
    const follows = host === undefined || open?.host === undefined || open.host + open.length === host;
    if (open?.kind === kind && follows) {
      open = { ...open, length: open.length + mapping.length };
    } else {
      if (open) yield open;
      open = { offset: at, length: mapping.length, kind, host };
    }
  }
  if (open) yield open;
}

/** The extents of an image and all below it. Past the end of the backing disk nothing is allocated. */
export async function* chainExtents(
  map: ClusterMap,
  backing: Disk | null,
  offset: number,
  length: number,
): AsyncGenerator<Extent> {
  for await (const extent of ownExtents(map, offset, length)) {
    const below = backing ? Math.max(0, Math.min(extent.length, backing.size - extent.offset)) : 0;
    if (extent.kind !== 'unallocated' || !backing || below === 0) {
      yield extent;
      continue;
    }
    for await (const lower of extentsOf(backing, extent.offset, below)) {
      yield { ...lower, depth: lower.depth + 1 };
    }
    if (below < extent.length) {
      yield { ...extent, offset: extent.offset + below, length: extent.length - below };
    }
  }
}

function kindOf(kind: string): Extent['kind'] {
  if (kind === 'unallocated') return 'unallocated';
  return kind === 'data' || kind === 'compressed' ? 'data' : 'zero';
}
