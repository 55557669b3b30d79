/**
 * What becomes of L1 and L2 entries that cannot be right, in memory. Three rules:
 *
 * - What readers pass over (reserved bits, COPIED on compressed clusters) is cleared.
 * - What leads nowhere reads zeros from now on, because nobody can tell any more what it read: past the end of the file
 *   that is what it read already.
 * - Where zeros cannot be said without showing what the backing file has there, in version 2 and of whole L2 tables,
 *   the entry stays as it is.
 */
import { COMPRESSED, COPIED, compressedLength, compressedOffset, entryOffset, ZERO } from '../table-entry.ts';
import type { CheckGeometry } from './check-geometry.ts';
import { L1_RESERVED_HIGH, L1_RESERVED_LOW, leadsBetweenClusters, leadsToNothing } from './l1-entry.ts';
import { L2_PROBLEMS, L2_RESERVED_HIGH, L2_RESERVED_LOW, l2Problems, ownedBy } from './l2-entry.ts';
import { isPastEnd } from './structure-ranges.ts';

/** Mends the L1 entry at `at`; returns whether it had to be changed, and could be. */
export function mendL1Entry(table: DataView, at: number, geometry: CheckGeometry): boolean {
  const high = table.getUint32(at);
  const low = table.getUint32(at + 4);
  // An L2 table behind the end of the file reads zeros, which map nothing.
  const isBehind = isPastEnd(entryOffset(high, low), geometry.clusterSize, geometry);
  const mapsNothing = isBehind || leadsToNothing(high, low);
  if (mapsNothing || (leadsBetweenClusters(low, geometry) && !geometry.backed)) return put(table, at, 0, 0);
  return put(table, at, (high & ~L1_RESERVED_HIGH) >>> 0, (low & ~L1_RESERVED_LOW) >>> 0);
}

/** Mends the L2 entry at `at`; returns whether it had to be changed, and could be. */
export function mendL2Entry(table: DataView, at: number, geometry: CheckGeometry): boolean {
  const high = table.getUint32(at);
  const low = table.getUint32(at + 4);
  const zeroBits = geometry.subclusters ? table.getUint32(at + 8) : 0;
  const allocBits = geometry.subclusters ? table.getUint32(at + 12) : 0;
  if (leadsNowhere(high, low, geometry)) return putZeros(table, at, geometry, zeroBits, allocBits);
  if ((high & COMPRESSED) !== 0) {
    if (geometry.dataFile) return false;
    return putWithBits(table, at, geometry, (high & ~COPIED) >>> 0, low, 0, 0);
  }
  const [cleanHigh, cleanLow] = [(high & ~L2_RESERVED_HIGH) >>> 0, (low & ~L2_RESERVED_LOW) >>> 0];
  const owns = ownedBy(high, low, geometry) === 'cluster';
  return owns
    ? putWithBits(table, at, geometry, cleanHigh, cleanLow, zeroBits, (allocBits & ~zeroBits) >>> 0)
    : putWithBits(table, at, geometry, cleanHigh, cleanLow, (zeroBits | allocBits) >>> 0, 0);
}

/** Whether anything is wrong with an L2 entry, places in the file included. */
export function isL2EntryBad(table: DataView, at: number, geometry: CheckGeometry): boolean {
  const high = table.getUint32(at);
  const low = table.getUint32(at + 4);
  const zeroBits = geometry.subclusters ? table.getUint32(at + 8) : 0;
  const allocBits = geometry.subclusters ? table.getUint32(at + 12) : 0;
  const problems = l2Problems(high, low, zeroBits, allocBits, geometry);
  return problems !== 0 || leadsNowhere(high, low, geometry);
}

/** Whether an entry owns what cannot be read, or can be read only as zeros because the file ends before. */
function leadsNowhere(high: number, low: number, geometry: CheckGeometry): boolean {
  if (geometry.dataFile) return false;
  const { clusterBits, clusterSize } = geometry;
  switch (ownedBy(high, low, geometry)) {
    case 'compressed': {
      const length = compressedLength(high, low, clusterBits);
      return isPastEnd(compressedOffset(high, low, clusterBits), length, geometry);
    }
    case 'cluster': {
      if ((l2Problems(high, low, 0, 0, geometry) & L2_PROBLEMS['cluster-unaligned']) !== 0) return true;
      return isPastEnd(entryOffset(high, low), clusterSize, geometry);
    }
    default:
      return false;
  }
}

/** An entry that reads zeros where it had data or zeros, and owns nothing. */
function putZeros(
  table: DataView,
  at: number,
  geometry: CheckGeometry,
  zeroBits: number,
  allocBits: number,
): boolean {
  if (geometry.subclusters) {
    const isCompressed = (table.getUint32(at) & COMPRESSED) !== 0;
    const zeros = isCompressed ? 0xffff_ffff : (zeroBits | allocBits) >>> 0;
    return putWithBits(table, at, geometry, 0, 0, zeros, 0);
  }
  if (geometry.version >= 3) return put(table, at, 0, ZERO);
  return geometry.backed ? false : put(table, at, 0, 0);
}

function putWithBits(
  table: DataView,
  at: number,
  geometry: CheckGeometry,
  high: number,
  low: number,
  zeroBits: number,
  allocBits: number,
): boolean {
  const changed = put(table, at, high, low);
  return geometry.subclusters ? put(table, at + 8, zeroBits, allocBits) || changed : changed;
}

function put(table: DataView, at: number, high: number, low: number): boolean {
  if (table.getUint32(at) === high && table.getUint32(at + 4) === low) return false;
  table.setUint32(at, high);
  table.setUint32(at + 4, low);
  return true;
}
