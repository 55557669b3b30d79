import type { StoreContext } from './context.ts';
import { verifyChain } from './protection.ts';
import { readVersion } from './read-version.ts';
import type { VersionDocument } from './version-document.ts';

/**
 * Makes sure that a version on which another is about to stand is in the store still, whole. The store lock is held.
 * @throws CalveError `not-found`, `changed`
 */
export async function verifyThere(context: StoreContext, version: VersionDocument): Promise<void> {
  await readVersion(context, version.digest);
  await verifyChain(context, version.layers);
}
