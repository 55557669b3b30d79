import { CalveError } from '../errors/index.ts';
import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { findVersion } from './get-version.ts';
import { readVersion, versionInfo } from './read-version.ts';
import { readIndex } from './ref-index.ts';
import type { VersionInfo } from './types.ts';
import type { VersionDocument } from './version-document.ts';

/**
 * A version and its ancestors, newest first among those whose children were given. Parents are read when the next
 * version is asked for; an ancestor that is not in the store ends its line.
 */
export async function* logVersions(
  context: StoreContext,
  expression: string,
  limit: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<VersionInfo> {
  const waiting: VersionDocument[] = [await findVersion(context, expression)];
  const index = await readIndex(context);
  const seen = new Set<Digest>(waiting.map((version) => version.digest));
  for (let count = 0; count < limit; count++) {
    const version = takeNewest(waiting);
    if (version === undefined) return;
    yield versionInfo(version, index);
    if (count + 1 >= limit) return;
    for (const parent of version.config.parents) {
      if (seen.has(parent)) continue;
      seen.add(parent);
      const document = await readIfThere(context, parent);
      if (document !== undefined) waiting.push(document);
    }
  }
}

function takeNewest(waiting: VersionDocument[]): VersionDocument | undefined {
  let newest = 0;
  for (const [at, version] of waiting.entries()) {
    if (version.config.created > (waiting[newest]?.config.created ?? '')) newest = at;
  }
  return waiting.splice(newest, 1)[0];
}

async function readIfThere(context: StoreContext, digest: Digest): Promise<VersionDocument | undefined> {
  try {
    return await readVersion(context, digest);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}
