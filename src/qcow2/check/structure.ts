/**
 * What a host cluster can be part of, each a bit, so that one small number says of a cluster all that lies there.
 * Only L2 tables, data and compressed data may be referred to more than once, and each only by its own kind.
 */
export const STRUCTURES = {
  header: 1,
  'L1 table': 2,
  'L2 table': 4,
  data: 8,
  'compressed data': 16,
  'snapshot table': 32,
  'refcount table': 64,
  'refcount block': 128,
  bitmap: 256,
  'encryption header': 512,
} as const;

export type Structure = keyof typeof STRUCTURES;

/** Beside the structures: an entry of the active disk refers to the cluster with COPIED set, or with COPIED clear. */
export const REFERRED_COPIED = 1024;
export const REFERRED_NOT_COPIED = 2048;

const ALL = 1023;
const SHARED = STRUCTURES['L2 table'] | STRUCTURES.data | STRUCTURES['compressed data'];

/** Whether a cluster holds what cannot lie in one: two structures, or one that is referred to twice. */
export function isOverlap(bits: number, references: number): boolean {
  const structures = bits & ALL;
  if ((structures & (structures - 1)) !== 0) return true;
  return references > 1 && (structures & SHARED) === 0;
}

/** Whether one kind of structure lies in a cluster, and nothing else but, perhaps, others that are allowed. */
export function isOnly(bits: number, structure: Structure, allowed = 0): boolean {
  return (bits & ALL & ~allowed) === STRUCTURES[structure];
}

/** Whether a reference of the active disk says of a cluster's refcount what is not so: that it is one, or is not. */
export function contradictsCopied(bits: number, refcount: number): boolean {
  return (bits & (refcount === 1 ? REFERRED_NOT_COPIED : REFERRED_COPIED)) !== 0;
}

/** What lies in a cluster, for people: `L1 table, data`. */
export function structureNames(bits: number): string {
  const names = Object.entries(STRUCTURES).filter(([, bit]) => (bits & bit) !== 0);
  return names.map(([name]) => name).join(', ') || 'nothing';
}
