import { emptyEntry } from '../mapping/cluster-entry.ts';
import type { ClusterMap } from '../mapping/cluster-map.ts';
import type { L2Table } from '../mapping/l2-table.ts';

/**
 * The first of a table's entries from `from` to `limit` that name no host cluster, and how many such follow each other.
 * All, where there is no table; a count of 0, with `limit` as the first, where there are none.
 * @throws CalveError `corrupt` for an entry that no writer makes
 */
export function freeEntries(
  map: ClusterMap,
  table: L2Table | undefined,
  from: number,
  limit: number,
): { readonly first: number; readonly count: number } {
  if (!table) return { first: from, count: limit - from };
  const entry = emptyEntry();
  const ownsNothing = (index: number): boolean => {
    map.readEntry(table, index, entry);
    return entry.owned === 'nothing';
  };
  let first = from;
  while (first < limit && !ownsNothing(first)) first += 1;
  let end = first;
  while (end < limit && ownsNothing(end)) end += 1;
  return { first, count: end - first };
}
