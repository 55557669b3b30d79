import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { CalveError, systemError } from '../errors/index.ts';
import { makeFolder, statFile, writeFileDurably } from '../host/index.ts';
import { EMPTY_INDEX, IMAGE_LAYOUT, imageLayoutSchema, parseDocument } from '../oci/index.ts';
import { StoreLayout } from './layout.ts';
import { takeLock } from './locking.ts';
import { readText } from './read-text.ts';
import { encodeIndex } from './ref-index.ts';
import { listFolder } from './staging.ts';
import { Store } from './store.ts';

/**
 * Opens a store, and makes it first where there is none.
 *
 * @param folder default `$CALVE_STORE`, else `$XDG_DATA_HOME/calve`, else `~/.local/share/calve`
 * @param options.create make it when it is not there (default true)
 * @throws CalveError `not-found` without `create`; `exists` when the folder holds something else; `corrupt` for a
 * layout of another version
 */
export async function openStore(
  folder?: string,
  options: { readonly create?: boolean | undefined } = {},
): Promise<Store> {
  return new Store({ layout: await openLayout(folder, options.create ?? true), step: () => {} });
}

/** As `openStore`, up to where things lie. */
export async function openLayout(folder: string | undefined, create: boolean): Promise<StoreLayout> {
  const path = resolve(folder ?? defaultFolder());
  const layoutFile = join(path, 'oci-layout');
  const isLayout = isThere(layoutFile);
  if (!isLayout && !create) {
    throw new CalveError('not-found', `there is no store in ${path}`, { hint: `calve init ${path}` });
  }
  if (!isLayout) await refuseStrangers(path);
  else parseDocument(await readText(layoutFile), imageLayoutSchema, layoutFile);
  // An image layout that another program made becomes a store by what it lacks of one.
  const lacks = !isLayout || new StoreLayout(path).folders.some((each) => !isThere(each));
  if (lacks) await makeStore(path);
  return layoutIn(path);
}

function layoutIn(path: string): StoreLayout {
  try {
    return new StoreLayout(realpathSync(path));
  } catch (error) {
    throw systemError(`cannot open the store in ${path}`, error);
  }
}

/** A file that cannot be looked at is not taken for one that is missing: another would be put in its place. */
function isThere(path: string): boolean {
  return statFile(path) !== undefined;
}

function defaultFolder(): string {
  const { CALVE_STORE, XDG_DATA_HOME } = process.env;
  // An empty variable is an unset one (XDG Base Directory Specification).
  return CALVE_STORE || join(XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'calve');
}

/** A folder with anything in it that no half-made store has is somebody else's. */
async function refuseStrangers(path: string): Promise<void> {
  const ours = [...new StoreLayout('/').folders.map((folder) => relative('/', folder)), 'index.json', 'lock'];
  const stranger = (await listFolder(path)).find((name) => !ours.includes(name));
  if (stranger === undefined) return;
  throw new CalveError('exists', `${path} is not a store and not empty: it holds ${stranger}`);
}

/**
 * Makes what is not there, under the store's lock: of two that make a store the second finds it made. `oci-layout`
 * comes last and makes it a store: whoever finds it finds everything.
 */
async function makeStore(path: string): Promise<void> {
  try {
    await makeFolder(path);
    const layout = layoutIn(path);
    await using _lock = await takeLock(layout.lock);
    for (const folder of layout.folders) await makeFolder(folder);
    const staged = { stagingFolder: layout.tmp };
    if (!isThere(layout.index)) await writeFileDurably(layout.index, encodeIndex(EMPTY_INDEX), staged);
    if (!isThere(layout.ociLayout)) await writeFileDurably(layout.ociLayout, IMAGE_LAYOUT, staged);
  } catch (error) {
    throw systemError(`cannot make a store in ${path}`, error);
  }
}
