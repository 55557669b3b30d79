import type { Digest } from '../../oci/index.ts';
import type { StoreContext } from '../context.ts';
import { readVersion, readVersionIfThere } from '../read-version.ts';
import type { VersionDocument } from '../version-document.ts';

/**
 * A version and its ancestors as far as they are in the store, children before parents, generation by generation.
 * @param depth how many generations: 1 is the version alone
 * @throws CalveError `not-found` for the version itself
 */
export async function localHistory(
  context: StoreContext,
  tip: Digest,
  depth: number,
): Promise<VersionDocument[]> {
  const history: VersionDocument[] = [await readVersion(context, tip)];
  const seen = new Set([tip]);
  let generation: readonly VersionDocument[] = history.slice();
  for (let level = 1; level < depth && generation.length > 0; level++) {
    const next: VersionDocument[] = [];
    for (const parent of generation.flatMap(({ config }) => config.parents)) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      const version = await readVersionIfThere(context, parent);
      if (version !== undefined) next.push(version);
    }
    history.push(...next);
    generation = next;
  }
  return history;
}
