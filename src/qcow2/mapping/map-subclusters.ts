import { CalveError } from '../../errors/index.ts';
import type { Geometry } from '../geometry.ts';
import type { ClusterKind } from '../table-entry.ts';
import { type ClusterEntry, readEntry } from './cluster-entry.ts';
import type { Mapping } from './mapping.ts';

/**
 * As `mapInTable`, for images with extended L2 entries or a data file: what starts at `offset` is mapped as far as the
 * subclusters are alike and contiguous. Pure. An entry that cannot be right ends the mapping, and is refused when the
 * mapping begins with it.
 *
 * @param table the bytes of the L2 table that maps `offset`
 * @param entry a scratch
 * @throws CalveError `corrupt` for an entry that no writer makes
 */
export function mapSubclusters(
  table: DataView,
  geometry: Geometry,
  offset: number,
  length: number,
  into: Mapping,
  entry: ClusterEntry,
): void {
  const { clusterSize, subclusterSize, subclusters, tableCovers } = geometry;
  const inTable = offset - Math.floor(offset / tableCovers) * tableCovers;
  let index = Math.floor(inTable / clusterSize);
  const inCluster = inTable - index * clusterSize;
  const end = Math.min(length, tableCovers - inTable);
  readEntry(table, index, geometry, offset - inCluster, entry);
  if (entry.owned === 'compressed') {
    into.kind = 'compressed';
    into.host = entry.host;
    into.hostLength = entry.hostLength;
    into.length = Math.min(end, clusterSize - inCluster);
    return;
  }
  let first = Math.floor(inCluster / subclusterSize);
  const kind = kindAt(entry, first);
  const owns = kind === 'data' || kind === 'zero-allocated';
  into.kind = kind;
  into.host = entry.host + inCluster;
  into.copied = owns && entry.copied;
  let alike = runOf(entry, kind, first, subclusters);
  let mapped = (first + alike) * subclusterSize - inCluster;
  while (mapped < end && first + alike === subclusters) {
    index += 1;
    first = 0;
    if (!continues(table, index, geometry, offset + mapped, entry)) break;
    if (kindAt(entry, 0) !== kind) break;
    if (owns && (entry.host !== into.host + mapped || entry.copied !== into.copied)) break;
    alike = runOf(entry, kind, 0, subclusters);
    mapped += alike * subclusterSize;
  }
  into.length = Math.min(mapped, end);
}

/** Whether the next entry can be part of a mapping at all. */
function continues(
  table: DataView,
  index: number,
  geometry: Geometry,
  guest: number,
  entry: ClusterEntry,
): boolean {
  try {
    readEntry(table, index, geometry, guest, entry);
  } catch (error) {
    if (!CalveError.is(error, 'corrupt')) throw error;
    // It is refused when somebody asks for what it maps.
    return false;
  }
  return entry.owned !== 'compressed';
}

function kindAt(entry: ClusterEntry, subcluster: number): ClusterKind {
  if (((entry.alloc >>> subcluster) & 1) !== 0) return 'data';
  if (((entry.zero >>> subcluster) & 1) === 0) return 'unallocated';
  return entry.owned === 'cluster' ? 'zero-allocated' : 'zero';
}

/** How many subclusters from `first` on are of this kind. */
function runOf(entry: ClusterEntry, kind: ClusterKind, first: number, subclusters: number): number {
  let alike = ~(entry.zero | entry.alloc);
  if (kind === 'data') alike = entry.alloc;
  else if (kind !== 'unallocated') alike = entry.zero;
  const others = ~alike >>> first;
  const run = others === 0 ? subclusters : 31 - Math.clz32(others & -others);
  return Math.min(run, subclusters - first);
}
