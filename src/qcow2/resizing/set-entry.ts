import { ENTRY_SIZE } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import type { L2Table } from '../mapping/l2-table.ts';

/**
 * Sets an L2 entry whole, with the subclusters of an extended one ("Extended L2 Entries", subcluster allocation bitmap):
 * all of them read zeros, or none says anything. The table is marked dirty by the caller.
 */
export function setEntry(
  table: L2Table,
  entry: number,
  geometry: Geometry,
  { high, low, zeroes }: { readonly high: number; readonly low: number; readonly zeroes: boolean },
): void {
  table.set(entry, high, low);
  if (geometry.entryBytes === ENTRY_SIZE) return;
  const at = entry * geometry.entryBytes + ENTRY_SIZE;
  table.view.setUint32(at, zeroes ? 0xffff_ffff : 0);
  table.view.setUint32(at + 4, 0);
  table.dirty.add(at, at + ENTRY_SIZE);
}
