import type { L2Table } from '../mapping/l2-table.ts';
import { clusterKind } from '../table-entry.ts';

/**
 * The first of a table's entries from `from` to `limit` that own no host cluster, and how many such follow each other.
 * All, where there is no table; a count of 0, with `limit` as the first, where there are none.
 */
export function freeEntries(
  table: L2Table | undefined,
  from: number,
  limit: number,
): { readonly first: number; readonly count: number } {
  if (!table) return { first: from, count: limit - from };
  let first = from;
  while (first < limit && !ownsNothing(table, first)) first += 1;
  let end = first;
  while (end < limit && ownsNothing(table, end)) end += 1;
  return { first, count: end - first };
}

function ownsNothing(table: L2Table, entry: number): boolean {
  const kind = clusterKind(table.high(entry), table.low(entry));
  return kind === 'unallocated' || kind === 'zero';
}
