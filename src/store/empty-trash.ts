import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { lockImage, openFile, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { envInUse } from './env-lock.ts';
import { OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { discard } from './staging.ts';
import { foundIn, trashEntries } from './trash-entries.ts';
import type { TrashInfo } from './types.ts';

/** Deletes some entries of the trash or all, those removed before a time or at any. */
export async function emptyTrash(
  context: StoreContext,
  {
    ids,
    olderThan,
  }: { readonly ids?: readonly string[] | undefined; readonly olderThan?: string | undefined },
): Promise<TrashInfo[]> {
  const before = olderThan === undefined ? Number.POSITIVE_INFINITY : Date.parse(olderThan);
  if (Number.isNaN(before)) throw new CalveError('usage', `expected a time (RFC 3339), got '${olderThan}'`);
  let remove = async (): Promise<void> => {};
  const deleted = await locked(context, async () => {
    const all = await trashEntries(context);
    const named = ids === undefined ? all : [...new Set(ids.map((id) => foundIn(all, id)))];
    const chosen = named.filter((entry) => Date.parse(entry.removed) < before);
    remove = await discardTrash(
      context,
      chosen.map((entry) => entry.id),
    );
    return chosen;
  });
  // What takes long is done when the store is free for others again.
  await remove();
  return deleted;
}

/**
 * Takes entries out of the trash; what it returns gives their space back. The store lock is held.
 * @throws CalveError `in-use` while a program that opened one of the overlays before it was removed still has it
 * open: then all of them stay
 */
export async function discardTrash(
  context: StoreContext,
  ids: readonly string[],
): Promise<() => Promise<void>> {
  await using held = new AsyncDisposableStack();
  for (const id of ids) {
    const overlay = join(context.layout.trashed(id), OVERLAY);
    if (statFile(overlay) === undefined) continue;
    const file = held.use(await openFile(overlay));
    try {
      held.use(lockImage(file, 'write'));
    } catch (error) {
      throw CalveError.is(error, 'in-use') ? envInUse(id, error) : error;
    }
  }
  const removals: (() => Promise<void>)[] = [];
  for (const id of ids) removals.push(await discard(context, context.layout.trashed(id)));
  return async () => {
    for (const remove of removals) await remove();
  };
}
