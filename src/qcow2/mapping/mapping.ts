import { ENTRY_SIZE, MAX_HOST_OFFSET } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import {
  type ClusterKind,
  clusterKind,
  compressedLength,
  compressedOffset,
  entryOffset,
  isCopied,
} from '../table-entry.ts';
import { corruptEntry } from './cluster-entry.ts';

/** Where a guest range lies. One object is filled again and again, because one a read would be garbage. */
export interface Mapping {
  kind: ClusterKind;
  /** Guest bytes from the offset on for which the rest holds. */
  length: number;
  /** `data` and `zero-allocated`: the host offset of the first byte; `compressed`: of the compressed data. */
  host: number;
  /** `compressed`: how many bytes of the file the data takes at most. */
  hostLength: number;
  /** `data` and `zero-allocated`: the clusters are nobody else's. */
  copied: boolean;
}

/** A mapping to be filled. */
export function emptyMapping(): Mapping {
  return { kind: 'unallocated', length: 0, host: 0, hostLength: 0, copied: false };
}

/**
 * Maps by standard L2 entries of clusters in the image file: what starts at `offset`, and goes on for as long as the
 * clusters are alike and contiguous, at most to the end of `length` and of the L2 table. Pure: the table and the measures
 * decide.
 *
 * @param table the bytes of the L2 table that maps `offset`
 * @throws CalveError `corrupt` for an entry that no writer makes
 */
export function mapInTable(
  table: DataView,
  geometry: Geometry,
  offset: number,
  length: number,
  into: Mapping,
): void {
  const { clusterSize, tableCovers } = geometry;
  const inTable = offset - Math.floor(offset / tableCovers) * tableCovers;
  let index = Math.floor(inTable / clusterSize);
  const inCluster = inTable - index * clusterSize;
  const end = Math.min(length, tableCovers - inTable);
  const high = table.getUint32(index * ENTRY_SIZE);
  const low = table.getUint32(index * ENTRY_SIZE + 4);
  const kind = clusterKind(high, low);
  into.kind = kind;
  if (kind === 'compressed') {
    into.host = compressedOffset(high, low, geometry.clusterBits);
    into.hostLength = compressedLength(high, low, geometry.clusterBits);
    into.length = Math.min(end, clusterSize - inCluster);
    if (into.host >= MAX_HOST_OFFSET) throw corruptEntry(offset, 'a host offset below 2^56', into.host);
    return;
  }
  if (geometry.version < 3 && (kind === 'zero' || kind === 'zero-allocated')) {
    throw corruptEntry(offset, 'no zero flag in version 2', high * 2 ** 32 + low);
  }
  const cluster = entryOffset(high, low);
  if (cluster % clusterSize !== 0) throw corruptEntry(offset, `a multiple of ${clusterSize}`, cluster);
  const owns = kind === 'data' || kind === 'zero-allocated';
  into.host = cluster + inCluster;
  into.copied = isCopied(high);
  let mapped = clusterSize - inCluster;
  while (mapped < end) {
    index += 1;
    const nextHigh = table.getUint32(index * ENTRY_SIZE);
    const nextLow = table.getUint32(index * ENTRY_SIZE + 4);
    if (clusterKind(nextHigh, nextLow) !== kind) break;
    if (owns && entryOffset(nextHigh, nextLow) !== into.host + mapped) break;
    if (owns && isCopied(nextHigh) !== into.copied) break;
    mapped += clusterSize;
  }
  into.length = Math.min(mapped, end);
}
