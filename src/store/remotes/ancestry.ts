import type { Digest } from '../../oci/index.ts';

/** A version's parents; undefined for one that is not known. */
export type ParentsOf = (version: Digest) => Promise<readonly Digest[] | undefined>;

/** Whether a version came from another, by way of what is known. A version comes from itself. */
export async function isAncestor(ancestor: Digest, of: Digest, parentsOf: ParentsOf): Promise<boolean> {
  const seen = new Set([of]);
  for (const version of seen) {
    if (version === ancestor) return true;
    // Grows while it is walked.
    for (const parent of (await parentsOf(version)) ?? []) seen.add(parent);
  }
  return false;
}
