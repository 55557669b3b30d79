import { CalveError } from '../errors/index.ts';
import { renameDurably, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { readEnvDocument } from './env-document.ts';
import { type LockedOverlay, lockOverlay } from './env-lock.ts';
import { checkEnvName } from './env-name.ts';
import { locked } from './locking.ts';
import { discard } from './staging.ts';
import { newTrashId, trashEntry } from './trash-entries.ts';
import type { TrashInfo } from './types.ts';

/**
 * Removes an env with one rename: into the trash, or with `force` into `tmp`, where it is deleted. Its base is not
 * looked at: an env whose base is harmed can be removed. One that is broken itself can be with `force`.
 */
export async function removeEnv(
  context: StoreContext,
  name: string,
  force: boolean,
): Promise<TrashInfo | null> {
  await using _held = force
    ? await lockWhatIsThere(context, name)
    : await lockOverlay(context, name, 'write');
  if (force) {
    const remove = await locked(context, () => discard(context, context.layout.env(name)));
    await remove();
    return null;
  }
  return await locked(context, async () => {
    // What would be broken in the trash stays where it is.
    await readEnvDocument(context.layout.envDocument(name)).catch((error: unknown) => {
      if (!(error instanceof CalveError)) throw error;
      throw new CalveError('corrupt', error.message, { hint: `calve rm --force ${name}`, cause: error });
    });
    const id = newTrashId(context, name);
    context.step(`rename to trash/${id}`);
    await renameDurably(context.layout.env(name), context.layout.trashed(id));
    return trashEntry(context, id);
  });
}

/** An env whose overlay is gone has nothing to lock. */
async function lockWhatIsThere(context: StoreContext, name: string): Promise<LockedOverlay | null> {
  const { layout } = context;
  const folderAlone =
    statFile(layout.env(checkEnvName(name))) !== undefined && statFile(layout.overlay(name)) === undefined;
  return folderAlone ? null : lockOverlay(context, name, 'write');
}
