import type { Geometry } from '../geometry.ts';
import { allSubclusters, type ClusterEntry, subclustersBetween } from '../mapping/cluster-entry.ts';

/** Bytes of the virtual disk, from and to. */
export interface GuestRange {
  readonly from: number;
  readonly to: number;
}

/** Data that is going to be written, and the clusters that it begins and ends in. */
export interface DataBounds {
  readonly geometry: Geometry;
  /** Bytes that can be written alone. */
  readonly unit: number;
  /** The data stays in the clusters that the entries name. */
  readonly placed: boolean;
  readonly first: ClusterEntry;
  readonly last: ClusterEntry;
  readonly offset: number;
  readonly length: number;
}

/**
 * What has to be written along with data, in order and apart from each other: the rest of the subclusters that it fills,
 * or of a unit where there is data already; and of clusters that get a new place, all else that lies in the old one.
 * Pure.
 */
export function rangesAround(bounds: DataBounds): GuestRange[] {
  const { geometry, placed, offset, length } = bounds;
  const { clusterSize } = geometry;
  const end = offset + length;
  const firstStart = offset - (offset % clusterSize);
  const lastStart = end - 1 - ((end - 1) % clusterSize);
  const firstGrain = grain(bounds, bounds.first, offset);
  const from = Math.floor(offset / firstGrain) * firstGrain;
  const lastGrain = grain(bounds, bounds.last, end - 1);
  const to = Math.ceil(end / lastGrain) * lastGrain;
  const ranges: GuestRange[] = [];
  if (!placed) {
    for (const kept of runsOf(keptSubclusters(geometry, bounds.first), geometry, firstStart)) {
      add(ranges, kept.from, Math.min(kept.to, from));
    }
  }
  add(ranges, from, offset);
  add(ranges, end, to);
  if (!placed) {
    for (const kept of runsOf(keptSubclusters(geometry, bounds.last), geometry, lastStart)) {
      add(ranges, Math.max(kept.from, to), kept.to);
    }
  }
  return ranges;
}

/** The subclusters of an entry's old place that have to come along to a new one; the others keep what they are. */
export function keptSubclusters(geometry: Geometry, { owned, alloc }: ClusterEntry): number {
  return owned === 'compressed' ? allSubclusters(geometry) : alloc;
}

/** What has to be written as a whole, in bytes. */
function grain({ geometry, placed, unit }: DataBounds, entry: ClusterEntry, at: number): number {
  const inCluster = at % geometry.clusterSize;
  const hasData = (entry.alloc & subclustersBetween(geometry, inCluster, inCluster + 1)) !== 0;
  return placed && hasData ? unit : geometry.subclusterSize;
}

function* runsOf(subclusters: number, geometry: Geometry, start: number): Generator<GuestRange> {
  for (let at = 0; at < geometry.subclusters; at += 1) {
    if (((subclusters >>> at) & 1) === 0) continue;
    const from = at;
    while (at + 1 < geometry.subclusters && ((subclusters >>> (at + 1)) & 1) !== 0) at += 1;
    yield { from: start + from * geometry.subclusterSize, to: start + (at + 1) * geometry.subclusterSize };
  }
}

/** A range that begins where the last one ends, makes that one longer. */
function add(ranges: GuestRange[], from: number, to: number): void {
  if (from >= to) return;
  const last = ranges.at(-1);
  if (last?.to === from) ranges[ranges.length - 1] = { from: last.from, to };
  else ranges.push({ from, to });
}
