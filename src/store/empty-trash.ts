import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { lockImage, openFile, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { envInUse } from './env-lock.ts';
import { OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { discard } from './staging.ts';
import { findTrash, trashEntries } from './trash-entries.ts';
import type { TrashInfo } from './types.ts';

/** Deletes one entry of the trash, or those removed before a time, or all. */
export async function emptyTrash(
  context: StoreContext,
  { id, olderThan }: { readonly id?: string | undefined; readonly olderThan?: string | undefined },
): Promise<TrashInfo[]> {
  const before = olderThan === undefined ? Number.POSITIVE_INFINITY : Date.parse(olderThan);
  if (Number.isNaN(before)) throw new CalveError('usage', `expected a time (RFC 3339), got '${olderThan}'`);
  const removals: (() => Promise<void>)[] = [];
  const deleted = await locked(context, async () => {
    const entries = id === undefined ? await trashEntries(context) : [await findTrash(context, id)];
    const chosen = entries.filter((entry) => Date.parse(entry.removed) < before);
    for (const entry of chosen) removals.push(await discardTrash(context, entry.id));
    return chosen;
  });
  // What takes long is done when the store is free for others again.
  for (const remove of removals) await remove();
  return deleted;
}

/**
 * Takes an entry out of the trash; what it returns gives its space back.
 * @throws CalveError `in-use` while a program that opened the overlay before it was removed still has it open
 */
export async function discardTrash(context: StoreContext, id: string): Promise<() => Promise<void>> {
  const overlay = join(context.layout.trashed(id), OVERLAY);
  if (statFile(overlay) === undefined) return discard(context, context.layout.trashed(id));
  await using file = await openFile(overlay);
  try {
    using _lock = lockImage(file, 'write');
    return await discard(context, context.layout.trashed(id));
  } catch (error) {
    throw CalveError.is(error, 'in-use') ? envInUse(id, error) : error;
  }
}
