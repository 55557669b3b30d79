import { CalveError } from '../errors/index.ts';
import type { Store, VersionInfo } from '../store/index.ts';

/**
 * The versions that some refs reach, each once, the newest first, and a child before its parents. Each is read when
 * it is asked for, so the first few cost a few reads, however long the history.
 */
export async function* historyOf(store: Store, heads: readonly string[]): AsyncGenerator<VersionInfo> {
  const seen = new Set<string>();
  const waiting: VersionInfo[] = [];
  const meet = async (expression: string): Promise<void> => {
    const version = await find(store, expression);
    if (version === undefined || seen.has(version.digest)) return;
    seen.add(version.digest);
    const at = waiting.findIndex((other) => other.created < version.created);
    waiting.splice(at === -1 ? waiting.length : at, 0, version);
  };
  for (const head of heads) await meet(head);
  for (let version = waiting.shift(); version !== undefined; version = waiting.shift()) {
    yield version;
    for (const parent of version.parents) if (!seen.has(parent)) await meet(parent);
  }
}

/** A parent may be gone: history is kept only as far as something needs it. */
async function find(store: Store, expression: string): Promise<VersionInfo | undefined> {
  try {
    return await store.versions.get(expression);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}
