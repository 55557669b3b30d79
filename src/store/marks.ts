import { CalveError } from '../errors/index.ts';
import { type Descriptor, type Digest, descriptorsIn } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { LARGEST_MANIFEST } from './manifests.ts';
import { readText } from './read-text.ts';
import { readVersion } from './read-version.ts';

/** What needs a version. */
export interface Root {
  readonly version: Digest;
  /** What needs it, for an error. */
  readonly from: string;
  /** The version may be gone: history outlives what it tells of. */
  readonly lenient: boolean;
}

/**
 * Every blob that is reachable from the roots: manifests, configs, layers, and the ancestors that are in the store.
 * @throws CalveError when a root that is not lenient, or what is reached, is missing or broken: then nothing is known
 * to be unreachable
 */
export async function markReachable(context: StoreContext, roots: Iterable<Root>): Promise<Set<Digest>> {
  const marked = new Set<Digest>();
  const waiting = [...roots];
  for (let root = waiting.pop(); root !== undefined; root = waiting.pop()) {
    if (marked.has(root.version)) continue;
    let version: Awaited<ReturnType<typeof readVersion>>;
    try {
      version = await readVersion(context, root.version);
    } catch (error) {
      if (root.lenient && CalveError.is(error, 'not-found')) continue;
      throw error instanceof CalveError
        ? new CalveError(error.code, `${root.from}: ${error.message}`, { hint: 'calve fsck', cause: error })
        : error;
    }
    marked.add(version.digest).add(version.configDigest);
    for (const layer of version.layers) marked.add(layer.digest);
    for (const parent of version.config.parents) {
      waiting.push({ version: parent, from: `parent of ${version.digest}`, lenient: true });
    }
  }
  return marked;
}

/** What a descriptor that another program put into `index.json` leads to, itself included. */
export async function markForeign(
  context: StoreContext,
  named: Descriptor,
  marked: Set<Digest>,
): Promise<void> {
  if (marked.has(named.digest)) return;
  marked.add(named.digest);
  // Manifests and indexes are JSON and small; a layer that is called JSON names nothing.
  if (!named.mediaType.endsWith('json') || named.size > LARGEST_MANIFEST) return;
  for (const next of descriptorsIn(await readForeign(context, named.digest)))
    await markForeign(context, next, marked);
}

async function readForeign(context: StoreContext, digest: Digest): Promise<unknown> {
  try {
    return JSON.parse(await readText(context.layout.blob(digest)));
  } catch (error) {
    if (error instanceof SyntaxError || CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}
