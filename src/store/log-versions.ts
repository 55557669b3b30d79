import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { resolveExpression } from './expressions.ts';
import { settled } from './locking.ts';
import { readVersion, readVersionIfThere, versionInfo } from './read-version.ts';
import { readIndex, refsOf } from './ref-index.ts';
import type { VersionInfo } from './types.ts';
import type { VersionDocument } from './version-document.ts';

/**
 * A version and its ancestors, newest first among those whose children were given; without an expression those of
 * every ref. Parents are read when the next version is asked for; an ancestor that is not in the store ends its line.
 */
export async function* logVersions(
  context: StoreContext,
  expression: string | undefined,
  limit: number = Number.POSITIVE_INFINITY,
): AsyncGenerator<VersionInfo> {
  await settled(context);
  const index = await readIndex(context);
  const waiting = new Waiting();
  const seen = new Set<Digest>();
  if (expression !== undefined) {
    const { version } = await resolveExpression(context, expression);
    seen.add(version);
    waiting.add(await readVersion(context, version));
  }
  const meet = async (digest: Digest): Promise<void> => {
    if (seen.has(digest)) return;
    seen.add(digest);
    const version = await readVersionIfThere(context, digest);
    if (version !== undefined) waiting.add(version);
  };
  if (expression === undefined) for (const ref of refsOf(index)) await meet(ref.version);
  for (let count = 0; count < limit; count++) {
    const version = waiting.takeNewest();
    if (version === undefined) return;
    yield versionInfo(version, index);
    if (count + 1 >= limit) return;
    for (const parent of version.config.parents) await meet(parent);
  }
}

/** Versions in the order of their times; of one time, the first to come goes first. */
class Waiting {
  /** The newest last. */
  readonly #versions: VersionDocument[] = [];

  add(version: VersionDocument): void {
    const { created } = version.config;
    let [low, high] = [0, this.#versions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#versions[middle]?.config.created ?? '') < created) low = middle + 1;
      else high = middle;
    }
    this.#versions.splice(low, 0, version);
  }

  takeNewest(): VersionDocument | undefined {
    return this.#versions.pop();
  }
}
