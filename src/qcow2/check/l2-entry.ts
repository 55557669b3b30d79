/**
 * What an L2 entry says to a check (specification, "Cluster mapping" and "Extended L2 Entries"). Pure, and free of
 * allocations: this runs for every entry of every table. An entry comes as its halves: `high` and `low` of the first
 * 64 bits, then `zeroBits` and `allocBits` of the subcluster bitmap, both 0 where there is none.
 */
import { COMPRESSED, entryOffset, isCopied, ZERO } from '../table-entry.ts';
import type { CheckGeometry } from './check-geometry.ts';

/** Bits of an L2 entry of a standard cluster that are reserved (trap 13), in its halves. */
export const L2_RESERVED_HIGH = 0x3f00_0000;
export const L2_RESERVED_LOW = 0x0000_01fe;

/** What an entry has of its own in the file: nothing, a cluster, or compressed data. */
export type Owned = 'nothing' | 'cluster' | 'compressed';

/** What can be wrong with an entry by itself, each a bit. */
export const L2_PROBLEMS = {
  'l2-reserved-bits': 1,
  'cluster-unaligned': 2,
  'compressed-copied': 4,
  'compressed-in-data-file': 8,
  'compressed-subclusters': 16,
  'subclusters-contradict': 32,
  'subclusters-nowhere': 64,
  'zero-flag-in-version-2': 128,
} as const;

/** Problems of a compressed entry that keep QEMU from counting its clusters. */
export const NOT_COUNTED: number =
  L2_PROBLEMS['compressed-in-data-file'] | L2_PROBLEMS['compressed-subclusters'];

/**
 * What the entry owns. With subclusters bit 0 means nothing. In a data file, offset 0 is a place like any other, and
 * COPIED says that it is meant.
 */
export function ownedBy(high: number, low: number, geometry: CheckGeometry): Owned {
  if ((high & COMPRESSED) !== 0) return 'compressed';
  if (entryOffset(high, low) !== 0) return 'cluster';
  const zero = !geometry.subclusters && (low & ZERO) !== 0;
  return geometry.dataFile && isCopied(high) && !zero ? 'cluster' : 'nothing';
}

/** The problems of an entry, as bits; 0 of a sound one. Whether a place lies in the file is not asked here. */
export function l2Problems(
  high: number,
  low: number,
  zeroBits: number,
  allocBits: number,
  geometry: CheckGeometry,
): number {
  if ((high & COMPRESSED) !== 0) return compressedProblems(high, zeroBits, allocBits, geometry);
  let problems = 0;
  if ((high & L2_RESERVED_HIGH) !== 0 || (low & L2_RESERVED_LOW) !== 0) {
    problems |= L2_PROBLEMS['l2-reserved-bits'];
  }
  if ((low & (geometry.clusterSize - 512)) !== 0) problems |= L2_PROBLEMS['cluster-unaligned'];
  if (geometry.version < 3 && (low & ZERO) !== 0) problems |= L2_PROBLEMS['zero-flag-in-version-2'];
  if (ownedBy(high, low, geometry) === 'nothing') {
    // Trap 15: zero bits need no cluster, alloc bits do.
    if (allocBits !== 0) problems |= L2_PROBLEMS['subclusters-nowhere'];
  } else if ((zeroBits & allocBits) !== 0) {
    problems |= L2_PROBLEMS['subclusters-contradict'];
  }
  return problems;
}

/** The problems, in the order in which they are to be told. */
export const L2_PROBLEM_LIST: readonly (readonly [keyof typeof L2_PROBLEMS, number])[] = [
  ['l2-reserved-bits', L2_PROBLEMS['l2-reserved-bits']],
  ['zero-flag-in-version-2', L2_PROBLEMS['zero-flag-in-version-2']],
  ['compressed-copied', L2_PROBLEMS['compressed-copied']],
  ['compressed-in-data-file', L2_PROBLEMS['compressed-in-data-file']],
  ['compressed-subclusters', L2_PROBLEMS['compressed-subclusters']],
  ['subclusters-contradict', L2_PROBLEMS['subclusters-contradict']],
  ['subclusters-nowhere', L2_PROBLEMS['subclusters-nowhere']],
  ['cluster-unaligned', L2_PROBLEMS['cluster-unaligned']],
];

function compressedProblems(
  high: number,
  zeroBits: number,
  allocBits: number,
  geometry: CheckGeometry,
): number {
  let problems = 0;
  if (isCopied(high)) problems |= L2_PROBLEMS['compressed-copied'];
  if (geometry.dataFile) problems |= L2_PROBLEMS['compressed-in-data-file'];
  else if ((zeroBits | allocBits) !== 0) problems |= L2_PROBLEMS['compressed-subclusters'];
  return problems;
}
