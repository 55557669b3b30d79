/** What an L1 entry says to a check (specification, "Cluster mapping"); it comes as its halves. Pure. */
import { entryOffset } from '../table-entry.ts';
import type { CheckGeometry } from './check-geometry.ts';

/** Bits of an L1 entry that are reserved (trap 13), in its halves. */
export const L1_RESERVED_HIGH = 0x7f00_0000;
export const L1_RESERVED_LOW = 0x0000_01ff;

/** Whether bits are set that the specification reserves. */
export function hasReservedBits(high: number, low: number): boolean {
  return (high & L1_RESERVED_HIGH) !== 0 || (low & L1_RESERVED_LOW) !== 0;
}

/** Whether the L2 table does not start at a cluster. */
export function leadsBetweenClusters(low: number, { clusterSize }: CheckGeometry): boolean {
  return (low & (clusterSize - 1) & ~L1_RESERVED_LOW) !== 0;
}

/** Whether something is said of an L2 table that is not there: COPIED, of none. */
export function leadsToNothing(high: number, low: number): boolean {
  return (high !== 0 || low !== 0) && entryOffset(high, low) === 0;
}
