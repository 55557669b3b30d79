import { CalveError } from '../errors/index.ts';
import { type Descriptor, type Digest, descriptorsIn } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { LARGEST_MANIFEST } from './manifests.ts';
import { readText } from './read-text.ts';
import { readVersion } from './read-version.ts';

/** What needs a version. */
export interface Root {
  readonly version: Digest;
  /** What needs it, in words. */
  readonly from: string;
  /** The version may be gone: history outlives what it tells of. */
  readonly lenient: boolean;
}

/**
 * Every blob that is reachable from the roots, and what needs it, in words: manifests, configs, layers, and the
 * ancestors that are in the store. What several roots reach is said to be the first one's; what one names itself, its.
 * @throws CalveError when a root that is not lenient, or what is reached, is missing or broken: then nothing is known
 * to be unreachable
 */
export async function markReachable(
  context: StoreContext,
  roots: Iterable<Root>,
): Promise<Map<Digest, string>> {
  const marked = new Map<Digest, string>();
  const mark = (blob: Digest, from: string): void => {
    if (!marked.has(blob)) marked.set(blob, from);
  };
  const waiting: (Root & { readonly line?: string })[] = [...roots];
  const seen = new Set<Digest>();
  // Grows while it is walked: roots first, then their parents.
  for (const { version: digest, from, lenient, line = from } of waiting) {
    if (seen.has(digest)) continue;
    let version: Awaited<ReturnType<typeof readVersion>>;
    try {
      version = await readVersion(context, digest);
    } catch (error) {
      if (lenient && CalveError.is(error, 'not-found')) continue;
      throw error instanceof CalveError
        ? new CalveError(error.code, `${from}: ${error.message}`, { hint: 'calve fsck', cause: error })
        : error;
    }
    seen.add(digest);
    mark(digest, from);
    mark(version.configDigest, from);
    for (const layer of version.layers) mark(layer.digest, from);
    for (const parent of version.config.parents) {
      waiting.push({ version: parent, from: `${line}, an ancestor`, line, lenient: true });
    }
  }
  return marked;
}

/** What a descriptor that another program put into `index.json` leads to, itself included. */
export async function markForeign(
  context: StoreContext,
  named: Descriptor,
  marked: Map<Digest, string>,
): Promise<void> {
  if (marked.has(named.digest)) return;
  marked.set(named.digest, 'another program, by index.json');
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
