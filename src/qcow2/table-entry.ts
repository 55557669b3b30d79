/**
 * L1 and L2 entries (specification, "Cluster mapping"), each as its two 32-bit halves, because numbers have 53 bits
 * and bit operators 32. Nothing here allocates: these run for every cluster of every read.
 *
 * ```
 * L1 entry              63 COPIED · 62-56 reserved · 55-9 offset of the L2 table · 8-0 reserved
 * L2 entry, standard    63 COPIED · 62 zero · 61-56 reserved · 55-9 host offset · 8-1 reserved · 0 reads as zeros
 * L2 entry, compressed  63 zero · 62 one · 61-x sectors beyond the first · (x-1)-0 host offset; x = 70 - cluster_bits
 * ```
 */

/** In the high half: the cluster's refcount is exactly one. */
export const COPIED = 0x8000_0000;
/** In the high half of an L2 entry: the cluster is compressed. */
export const COMPRESSED = 0x4000_0000;
/** In the low half of a standard L2 entry, version 3: the cluster reads as zeros. */
export const ZERO = 1;

const OFFSET_HIGH = 0x00ff_ffff;
const OFFSET_LOW = 0xffff_fe00;
const SECTORS_AND_OFFSET_HIGH = 0x3fff_ffff;
const SECTOR = 512;

/**
 * What an L2 entry says of its cluster. `zero` owns no host cluster; `zero-allocated` reads zeros and owns the host
 * cluster at its offset.
 */
export type ClusterKind = 'unallocated' | 'zero' | 'zero-allocated' | 'data' | 'compressed';

/** The kind of cluster that an L2 entry describes. Bit 0 is taken for the zero flag, in version 2 too. */
export function clusterKind(high: number, low: number): ClusterKind {
  if ((high & COMPRESSED) !== 0) return 'compressed';
  const allocated = (high & OFFSET_HIGH) !== 0 || (low & OFFSET_LOW) !== 0;
  if ((low & ZERO) !== 0) return allocated ? 'zero-allocated' : 'zero';
  return allocated ? 'data' : 'unallocated';
}

/** Bits 9 to 55 of an L1 or a standard L2 entry: a host offset in bytes, 0 if there is none. Below 2^56, and exact. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * 2 ** 32 + ((low & OFFSET_LOW) >>> 0);
}

/** Whether the COPIED flag is set. */
export function isCopied(high: number): boolean {
  return (high & COPIED) !== 0;
}

/** The high half of an L1 or a standard L2 entry. `offset` is a multiple of 512, below 2^53. */
export function entryHigh(offset: number, copied: boolean): number {
  return (Math.floor(offset / 2 ** 32) | (copied ? COPIED : 0)) >>> 0;
}

/** The low half of an L1 or a standard L2 entry. */
export function entryLow(offset: number): number {
  return offset % 2 ** 32;
}

/** The host offset of a compressed cluster's data, in bytes. Not aligned; not exact from 2^53 on. */
export function compressedOffset(high: number, low: number, clusterBits: number): number {
  return (high & ((1 << (38 - clusterBits)) - 1)) * 2 ** 32 + (low >>> 0);
}

/** The most bytes that a compressed cluster's data takes, up to the end of its last sector. */
export function compressedLength(high: number, low: number, clusterBits: number): number {
  const additional = (high & SECTORS_AND_OFFSET_HIGH) >>> (38 - clusterBits);
  return (additional + 1) * SECTOR - (low & (SECTOR - 1));
}

/**
 * The high half of a compressed cluster's L2 entry. `offset` and `length`, in bytes, are those of the data;
 * `offset` lies below 2^(70 - cluster_bits) and 2^53, and `length` is at most a cluster.
 */
export function compressedHigh(offset: number, length: number, clusterBits: number): number {
  const additional = Math.floor((offset + length - 1) / SECTOR) - Math.floor(offset / SECTOR);
  return (COMPRESSED | (additional << (38 - clusterBits)) | Math.floor(offset / 2 ** 32)) >>> 0;
}

/** The low half of a compressed cluster's L2 entry. */
export function compressedLow(offset: number): number {
  return offset % 2 ** 32;
}
