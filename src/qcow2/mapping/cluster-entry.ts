import { CalveError } from '../../errors/index.ts';
import { MAX_HOST_OFFSET } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import {
  COMPRESSED,
  compressedLength,
  compressedOffset,
  entryHigh,
  entryLow,
  entryOffset,
  isCopied,
  ZERO,
} from '../table-entry.ts';
import type { L2Table } from './l2-table.ts';

/**
 * What an L2 entry of any form says, standard or extended, of a cluster in the image file or in a data file. A standard
 * entry counts as one of a single subcluster. Subclusters are bits, the first one the lowest, in unsigned 32-bit numbers.
 */
export interface ClusterEntry {
  /** What the entry names: nothing, a host cluster, or compressed data. */
  owned: 'nothing' | 'cluster' | 'compressed';
  /** `cluster`: its host offset; `compressed`: that of the data. */
  host: number;
  /** `compressed`: how many bytes of the file the data takes at most. */
  hostLength: number;
  /** `cluster`: it is nobody else's. */
  copied: boolean;
  /** Subclusters that read zeros. */
  zero: number;
  /** Subclusters whose data is in the host cluster. The others show what lies below. */
  alloc: number;
}

/** An entry to be filled. */
export function emptyEntry(): ClusterEntry {
  return { owned: 'nothing', host: 0, hostLength: 0, copied: false, zero: 0, alloc: 0 };
}

/** Every subcluster of a cluster. */
export function allSubclusters({ subclusters }: Pick<Geometry, 'subclusters'>): number {
  return subclusters === 1 ? 1 : 0xffff_ffff;
}

/** The subclusters that bytes `from` to `to` of a cluster touch; `from` lies before `to`, and that in the cluster. */
export function subclustersBetween(geometry: Geometry, from: number, to: number): number {
  if (geometry.subclusters === 1) return 1;
  const first = Math.floor(from / geometry.subclusterSize);
  const count = Math.ceil(to / geometry.subclusterSize) - first;
  // A shift by 32 would shift by nothing.
  return count === 32 ? 0xffff_ffff : (((1 << count) - 1) << first) >>> 0;
}

/** The subclusters of the cluster at guest offset `cluster` that guest bytes `from` to `to` touch, of which it has some. */
export function subclustersOf(geometry: Geometry, cluster: number, from: number, to: number): number {
  const end = Math.min(geometry.clusterSize, to - cluster);
  return subclustersBetween(geometry, Math.max(0, from - cluster), end);
}

/**
 * Takes an entry apart, and refuses what no writer makes (specification, "Cluster mapping" and "Extended L2 Entries").
 * Reserved bits are left aside (trap 13), and so is the bitmap of a compressed cluster.
 *
 * @param table the bytes of the L2 table
 * @param guest the guest offset of the cluster
 * @throws CalveError `corrupt`
 */
export function readEntry(
  table: DataView,
  index: number,
  geometry: Geometry,
  guest: number,
  into: ClusterEntry,
): void {
  const { entryBytes, clusterBits, subclusters } = geometry;
  const at = index * entryBytes;
  const high = table.getUint32(at);
  const low = table.getUint32(at + 4);
  if ((high & COMPRESSED) !== 0) {
    into.owned = 'compressed';
    into.host = compressedOffset(high, low, clusterBits);
    into.hostLength = compressedLength(high, low, clusterBits);
    into.copied = false;
    into.zero = 0;
    into.alloc = 0;
  } else {
    into.host = entryOffset(high, low);
    into.copied = isCopied(high);
    // In a data file, offset 0 is a place like any other, and COPIED says that it is meant (trap 22).
    const owns = into.host !== 0 || (geometry.dataFile && into.copied);
    into.owned = owns ? 'cluster' : 'nothing';
    if (subclusters === 1) {
      into.zero = low & ZERO;
      into.alloc = owns && into.zero === 0 ? 1 : 0;
    } else {
      into.zero = table.getUint32(at + 8);
      into.alloc = table.getUint32(at + 12);
    }
  }
  validateEntry(into, geometry, guest);
}

/** Writes what an entry says now; not of compressed clusters. The caller marks the table dirty. */
export function writeEntry(table: L2Table, index: number, geometry: Geometry, entry: ClusterEntry): void {
  const { owned, host, copied, zero, alloc } = entry;
  const owns = owned === 'cluster';
  const flag = geometry.subclusters === 1 && zero !== 0 ? ZERO : 0;
  table.set(index, owns ? entryHigh(host, copied) : 0, owns ? (entryLow(host) | flag) >>> 0 : flag);
  if (geometry.subclusters > 1) table.setBits(index, zero, alloc);
}

/** The one place that judges an entry, ahead of any use of it. */
function validateEntry(entry: ClusterEntry, geometry: Geometry, guest: number): void {
  const { owned, host, zero, alloc } = entry;
  if (owned === 'compressed') {
    if (geometry.dataFile) throw corruptEntry(guest, 'no compressed cluster beside a data file', 'one');
    if (host >= MAX_HOST_OFFSET) throw corruptEntry(guest, 'a host offset below 2^56', host);
    return;
  }
  if (geometry.version < 3 && zero !== 0) throw corruptEntry(guest, 'no zero flag in version 2', zero);
  if (owned === 'nothing') {
    // Trap 15: zero bits need no cluster, alloc bits do.
    if (alloc !== 0) throw corruptEntry(guest, 'no allocated subclusters without a cluster', hex(alloc));
    return;
  }
  if (host % geometry.clusterSize !== 0) {
    throw corruptEntry(guest, `a multiple of ${geometry.clusterSize}`, host);
  }
  if ((zero & alloc) !== 0) {
    throw corruptEntry(guest, 'no subcluster that is both allocated and zero', hex((zero & alloc) >>> 0));
  }
  if (geometry.dataFile && host !== guest) {
    throw corruptEntry(guest, `the same offset in the data file, ${guest}`, host);
  }
}

/** An entry that no writer makes. */
export function corruptEntry(guest: number, expected: string, got: number | string): CalveError {
  return new CalveError('corrupt', `L2 entry of guest offset ${guest}: expected ${expected}, got ${got}`, {
    data: { guestOffset: guest, got },
  });
}

function hex(bits: number): string {
  return `0x${bits.toString(16)}`;
}
