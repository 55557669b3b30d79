import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { imageLockHolders, statFile } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import { type Census, takeCensus } from './census.ts';
import type { StoreContext } from './context.ts';
import { discardTrash } from './empty-trash.ts';
import { explainUnneeded } from './explain-unneeded.ts';
import { appendGcRun } from './gc-log.ts';
import { expiredHarmed } from './harmed-files.ts';
import { OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { now } from './move-ref.ts';
import type { GcOptions } from './options.ts';
import { abandonedPartials } from './remotes/partial-layer.ts';
import { forgetPromises } from './remotes/promises.ts';
import { neededBlobs } from './roots.ts';
import { discard, newId } from './staging.ts';
import { readConfig } from './store-config.ts';
import { deleteBlobs, unneededBlobs } from './sweep.ts';
import { trashEntries } from './trash-entries.ts';
import type { GcKept, GcReport, TrashInfo } from './types.ts';

/**
 * Deletes what nothing needs. All of it under the store lock, in which versions are published and refs and envs come
 * to be: so nothing that is about to be needed is seen as unneeded. A writer whose staging stands on what goes here
 * finds that out when it looks again, under the same lock.
 *
 * @throws CalveError `corrupt`, `changed`, `not-found` when what is needed cannot be told, because a document is
 * broken: then nothing is deleted
 */
export async function collectGarbage(context: StoreContext, options: GcOptions): Promise<GcReport> {
  const { dryRun = false, explainKept = false } = options;
  const { gc, trash } = await readConfig(context);
  const graceDays = checkDays('grace', options.graceDays ?? gc.graceDays);
  const historyDays = checkDays('history', options.historyDays ?? gc.historyDays);
  const removals: (() => Promise<void>)[] = [];
  const report = await locked(context, async () => {
    const census = await takeCensus(context);
    const expired = await expiredTrash(context);
    const harmed = await expiredHarmed(context, trash.days);
    const partial = await abandonedPartials(context, trash.days);
    const ids = expired.map((entry) => entry.id);
    const needed = await neededBlobs(context, census, {
      graceDays,
      historyDays,
      withoutTrash: new Set(ids),
    });
    const unneeded = await unneededBlobs(context, census, needed, graceDays);
    const blobs = await explainUnneeded(context, census, unneeded);
    const freed = [
      ...expired.map((entry) => entry.changedBytes),
      ...[...harmed, ...partial].map((file) => statFile(join(context.layout.folder, file))?.allocated ?? 0),
      ...blobs.map((blob) => statFile(context.layout.blob(blob.digest))?.allocated ?? 0),
    ];
    const freedBytes = freed.reduce((sum, bytes) => sum + bytes, 0);
    const kept = explainKept ? { kept: keptVersions(census, needed) } : {};
    if (!dryRun) await forgetPromises(context, new Set(needed.keys()));
    if (!dryRun && blobs.length + ids.length + harmed.length + partial.length > 0) {
      // The trash first: an env never outlives its base.
      removals.push(await discardTrash(context, ids));
      for (const file of [...harmed, ...partial])
        removals.push(await discard(context, join(context.layout.folder, file)));
      await deleteBlobs(context, blobs);
      await appendGcRun(context, {
        id: newId(),
        time: now(),
        blobs: blobs.length,
        trash: ids.length,
        freedBytes,
      });
    }
    return { dryRun, blobs, trash: expired, harmed, partial, ...kept, freedBytes };
  });
  for (const remove of removals) await remove();
  return report;
}

function checkDays(what: string, days: number): number {
  if (days >= 0) return days;
  throw new CalveError('usage', `expected a ${what} of 0 days or more, got ${days}`);
}

/** What was removed long ago and nobody has open any more. */
async function expiredTrash(context: StoreContext): Promise<TrashInfo[]> {
  return (await trashEntries(context)).filter(
    ({ id, expires }) =>
      Date.parse(expires) < Date.now() &&
      imageLockHolders(join(context.layout.trashed(id), OVERLAY)).length === 0,
  );
}

function keptVersions(census: Census, needed: ReadonlyMap<Digest, string>): GcKept[] {
  return [...needed].filter(([blob]) => census.manifests.has(blob)).map(([digest, by]) => ({ digest, by }));
}
