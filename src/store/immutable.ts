import { CalveError, errnoOf } from '../errors/index.ts';
import { makeMutable, openFile, setImmutable, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { manifestsOf } from './manifests.ts';
import { openStaging, writeStaged } from './staging.ts';

/**
 * The setting `immutable`: layers bear the flag of `chattr +i` besides their mode, so that not even root writes, renames
 * or removes one without lifting it first. The flag is set once a layer is in its place, because it would keep it from
 * getting there.
 */
export async function freeze(path: string): Promise<void> {
  await using file = await openFile(path);
  setImmutable(file, true);
}

/**
 * Makes sure, before anything has happened, that these files could be made immutable by this process.
 * @throws CalveError `denied`, `unsupported`, with what to do about it
 */
export async function checkMayFreeze(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await using file = await openFile(path);
      setImmutable(file, true);
      setImmutable(file, false);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      throw new CalveError(error.code, `the store's layers are to be immutable: ${error.message}`, {
        cause: error,
        data: error.data,
        hint:
          error.code === 'denied'
            ? 'run it as root, or: calve init --no-immutable'
            : 'calve init --no-immutable',
      });
    }
  }
}

/** Whether this process could make a file of the store immutable: as `checkMayFreeze`, with a file of its own. */
export async function checkStoreMayFreeze(context: StoreContext): Promise<void> {
  await using staging = await openStaging(context);
  const path = staging.path('immutable');
  await writeStaged(path, '');
  await checkMayFreeze([path]);
}

/**
 * Makes every layer of every version immutable, or lifts that. Each costs a hash when it is used next, because its ctime
 * changes. The store lock is held, so that none is published meanwhile. Cut off, it leaves what fsck tells of and mends.
 */
export async function freezeLayers(context: StoreContext, immutable: boolean): Promise<void> {
  const seen = new Set<string>();
  for await (const { layers } of manifestsOf(context)) {
    for (const { digest } of layers) {
      const path = context.layout.blob(digest);
      if (seen.has(digest) || statFile(path) === undefined) continue;
      seen.add(digest);
      if (!immutable) await makeMutable(path);
      else await freeze(path);
    }
  }
}

/** Does what an immutable file at `path` may refuse; once it is mutable, if that is what refuses. */
export async function despiteImmutable(path: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (errnoOf(error) !== 'EPERM' || statFile(path) === undefined || !(await makeMutable(path))) throw error;
    await action();
  }
}
