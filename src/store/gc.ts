import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { imageLockHolders, statFile } from '../host/index.ts';
import { takeCensus } from './census.ts';
import type { StoreContext } from './context.ts';
import { discardTrash } from './empty-trash.ts';
import { OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { DAY_MS, neededBlobs } from './roots.ts';
import { deleteBlobs, unneededBlobs } from './sweep.ts';
import { trashEntries } from './trash-entries.ts';
import type { GcReport, TrashInfo } from './types.ts';

const GRACE_DAYS = 14;
const TRASH_DAYS = 7;

/**
 * Deletes what nothing needs. All of it under the store lock, in which versions are published and refs and envs come
 * to be: so nothing that is about to be needed is seen as unneeded.
 *
 * @throws CalveError `corrupt`, `changed`, `not-found` when what is needed cannot be told, because a document is
 * broken: then nothing is deleted
 */
export async function collectGarbage(
  context: StoreContext,
  {
    dryRun = false,
    graceDays = GRACE_DAYS,
  }: { readonly dryRun?: boolean | undefined; readonly graceDays?: number | undefined },
): Promise<GcReport> {
  if (!(graceDays >= 0))
    throw new CalveError('usage', `expected a grace of 0 days or more, got ${graceDays}`);
  const graceMs = graceDays * DAY_MS;
  const removals: (() => Promise<void>)[] = [];
  const report = await locked(context, async () => {
    const census = await takeCensus(context);
    const expired = await expiredTrash(context);
    const withoutTrash = new Set(expired.map((entry) => entry.id));
    const needed = await neededBlobs(context, census, { withoutTrash, graceMs });
    const blobs = await unneededBlobs(context, census, needed, graceMs);
    const freed = [
      ...expired.map((entry) => entry.changedBytes),
      ...blobs.map((blob) => statFile(context.layout.blob(blob.digest))?.allocated ?? 0),
    ];
    if (!dryRun) {
      // The trash first: an env never outlives its base.
      for (const { id } of expired) removals.push(await discardTrash(context, id));
      await deleteBlobs(context, blobs);
    }
    const freedBytes = freed.reduce((sum, bytes) => sum + bytes, 0);
    return { dryRun, blobs, trash: [...withoutTrash], freedBytes };
  });
  for (const remove of removals) await remove();
  return report;
}

/** What was removed long ago and nobody has open any more. */
async function expiredTrash(context: StoreContext): Promise<TrashInfo[]> {
  const since = Date.now() - TRASH_DAYS * DAY_MS;
  return (await trashEntries(context)).filter(
    ({ id, removed }) =>
      Date.parse(removed) < since && imageLockHolders(join(context.layout.trashed(id), OVERLAY)).length === 0,
  );
}
