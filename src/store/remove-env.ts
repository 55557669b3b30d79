import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { renameDurably, statFile } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readEnvDocument } from './env-document.ts';
import { type LockedOverlay, lockOverlay } from './env-lock.ts';
import { checkEnvName } from './env-name.ts';
import { doMove, moveFolder } from './journal.ts';
import { letGoOf } from './let-go.ts';
import { locked } from './locking.ts';
import { now } from './move-ref.ts';
import { newId, openStaging, removeAll } from './staging.ts';
import { readConfig } from './store-config.ts';
import { newTrashId, trashEntry } from './trash-entries.ts';
import type { TrashInfo } from './types.ts';

/**
 * Removes envs, all or none: each with one rename into the trash, or with `force` into `tmp`, where it is deleted.
 * Several are one recorded move. Their bases are not looked at: an env whose base is harmed can be removed. One that
 * is broken itself can be with `force`.
 *
 * @returns what is in the trash now, in the order of the names; nothing with `force`
 */
export async function removeEnvs(
  context: StoreContext,
  names: readonly string[],
  force: boolean,
): Promise<TrashInfo[]> {
  await using held = new AsyncDisposableStack();
  const all = [...new Set(names)];
  for (const name of all) {
    held.use(force ? await lockWhatIsThere(context, name) : await lockOverlay(context, name, 'write'));
  }
  // What would fail after the move fails before it.
  const { trash } = await readConfig(context);
  const moved = await locked(context, async () => {
    const versions: Digest[] = [];
    for (const name of all) versions.push(...(await versionOf(context, name, force)));
    const places = all.map((name) => ({
      from: `envs/${name}`,
      to: force ? `tmp/${newId()}` : `trash/${newTrashId(context, name)}`,
    }));
    for (const version of versions) letGoOf(context, version);
    await move(context, places);
    return places.map(({ to }) => to);
  });
  if (!force) {
    return Promise.all(moved.map((path) => trashEntry(context, path.slice('trash/'.length), trash.days)));
  }
  for (const path of moved) await removeAll(join(context.layout.folder, path));
  return [];
}

interface Place {
  readonly from: string;
  readonly to: string;
}

async function move(context: StoreContext, places: readonly Place[]): Promise<void> {
  const [first, second] = places;
  if (first !== undefined && second === undefined) {
    context.step(`rename to ${first.to}`);
    await renameDurably(join(context.layout.folder, first.from), join(context.layout.folder, first.to));
  } else if (first !== undefined) {
    await using staging = await openStaging(context);
    await mkdir(moveFolder(staging).folder);
    const steps = places.map(({ from, to }) => ({ rename: [from, to] as const }));
    await doMove(context, staging, { command: 'rm', time: now(), steps });
  }
}

/**
 * The version that an env lets go of. What would be broken in the trash stays where it is; with `force` it may stand
 * on none that can be told.
 */
async function versionOf(context: StoreContext, name: string, force: boolean): Promise<Digest[]> {
  try {
    return [(await readEnvDocument(context.layout.envDocument(name))).version];
  } catch (error) {
    if (!(error instanceof CalveError)) throw error;
    if (force) return [];
    throw new CalveError('corrupt', error.message, { hint: `calve rm --force ${name}`, cause: error });
  }
}

/** An env whose overlay is gone has nothing to lock. */
async function lockWhatIsThere(context: StoreContext, name: string): Promise<LockedOverlay | null> {
  const { layout } = context;
  const folderAlone =
    statFile(layout.env(checkEnvName(name))) !== undefined && statFile(layout.overlay(name)) === undefined;
  return folderAlone ? null : lockOverlay(context, name, 'write');
}
