import type { Geometry } from '../geometry.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { clusterKind, compressedLength, compressedOffset, entryOffset } from '../table-entry.ts';
import type { PendingFrees } from './pending-frees.ts';

const PLAIN = {
  kept: { flagged: true, punch: false },
  punched: { flagged: true, punch: true },
} as const;
const COMPRESSED = {
  kept: { flagged: false, punch: false },
  punched: { flagged: false, punch: true },
} as const;

/**
 * Takes out of use what an L2 entry points at, because the entry is about to say something else: a cluster, or every
 * cluster that compressed data lies in (trap 28).
 * @param storage whether the host gets the storage back, or the clusters are used again as they are
 */
export function releaseEntry(
  table: L2Table,
  entry: number,
  geometry: Geometry,
  frees: PendingFrees,
  storage: 'kept' | 'punched',
): void {
  const high = table.high(entry);
  const low = table.low(entry);
  const kind = clusterKind(high, low);
  if (kind === 'compressed') {
    const { clusterBits } = geometry;
    const offset = compressedOffset(high, low, clusterBits);
    frees.add(offset, compressedLength(high, low, clusterBits), COMPRESSED[storage]);
  } else if (kind === 'data' || kind === 'zero-allocated') {
    frees.add(entryOffset(high, low), geometry.clusterSize, PLAIN[storage]);
  }
}
