import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { DAY_MS } from './days.ts';
import { readEnvDocument } from './env-document.ts';
import { isEnvName } from './env-name.ts';
import { ENV_DOCUMENT, OVERLAY } from './layout.ts';
import { listFolder } from './staging.ts';
import { readConfig } from './store-config.ts';
import type { TrashInfo } from './types.ts';

/**
 * What was removed is a folder of the trash whose name says all that there is to say of the removal: which env, and
 * when. So one rename removes an env, one brings it back, and no crash comes in between.
 */
const ID = /^(?<name>[^@]+)@(?<day>\d{8})T(?<time>\d{6})\.(?<ms>\d{3})Z$/;

/** The id of an env that is removed now; one that is not taken. The store lock is held. */
export function newTrashId(context: StoreContext, name: string): string {
  for (let time = Date.now(); ; time++) {
    const id = `${name}@${new Date(time).toISOString().replace(/[-:]/g, '')}`;
    if (statFile(context.layout.trashed(id)) === undefined) return id;
  }
}

/** The env's name and the time in an id; undefined for a folder that no calve named. */
export function parseTrashId(id: string): { readonly name: string; readonly removed: string } | undefined {
  const { name, day, time, ms } = ID.exec(id)?.groups ?? {};
  if (name === undefined || day === undefined || time === undefined || !isEnvName(name)) return undefined;
  const [year, month, date] = [day.slice(0, 4), day.slice(4, 6), day.slice(6)];
  const [hour, minute, second] = [time.slice(0, 2), time.slice(2, 4), time.slice(4)];
  return { name, removed: `${year}-${month}-${date}T${hour}:${minute}:${second}.${ms}Z` };
}

/** Everything in the trash, the newest first; what was removed in the same millisecond by name. */
export async function trashEntries(context: StoreContext): Promise<TrashInfo[]> {
  const { trash } = await readConfig(context);
  const entries: TrashInfo[] = [];
  for (const id of await listFolder(context.layout.trash)) {
    if (parseTrashId(id) !== undefined) entries.push(await trashEntry(context, id, trash.days));
  }
  return entries.sort((a, b) => {
    if (a.removed !== b.removed) return a.removed < b.removed ? 1 : -1;
    return a.name < b.name ? -1 : 1;
  });
}

/**
 * @param days how long the trash keeps what was removed
 * @throws CalveError `not-found`, `corrupt`
 */
export async function trashEntry(context: StoreContext, id: string, days: number): Promise<TrashInfo> {
  const parsed = parseTrashId(id);
  if (parsed === undefined) throw noSuchTrash(id);
  const { version, ref } = await readEnvDocument(join(context.layout.trashed(id), ENV_DOCUMENT));
  const expires = new Date(Date.parse(parsed.removed) + days * DAY_MS).toISOString();
  const changedBytes = statFile(join(context.layout.trashed(id), OVERLAY))?.allocated ?? 0;
  return { id, ...parsed, expires, version, ref, changedBytes };
}

/** The entry of this id; for an env's name, its newest. */
export async function findTrash(context: StoreContext, text: string): Promise<TrashInfo> {
  return foundIn(await trashEntries(context), text);
}

/** As `findTrash`, among entries that were read, the newest first. */
export function foundIn(entries: readonly TrashInfo[], text: string): TrashInfo {
  const found = entries.find((entry) => entry.id === text || entry.name === text);
  if (found === undefined) throw noSuchTrash(text);
  return found;
}

function noSuchTrash(text: string): CalveError {
  return new CalveError('not-found', `the trash has no ${text}`, { hint: 'calve trash ls' });
}
