import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { CalveError, systemError } from '../errors/index.ts';
import { syncFolder, writeFileDurably } from '../host/index.ts';
import { EMPTY_INDEX, IMAGE_LAYOUT, imageLayoutSchema, parseDocument } from '../oci/index.ts';
import { StoreLayout } from './layout.ts';
import { takeLock } from './locking.ts';
import { readText } from './read-text.ts';
import { encodeIndex } from './ref-index.ts';
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
  if (!existsSync(layoutFile)) {
    if (!create) {
      throw new CalveError('not-found', `there is no store in ${path}`, { hint: `calve init ${path}` });
    }
    await makeStore(path);
  }
  parseDocument(await readText(layoutFile), imageLayoutSchema, layoutFile);
  return new StoreLayout(realpathSync(path));
}

function defaultFolder(): string {
  const { CALVE_STORE, XDG_DATA_HOME } = process.env;
  // An empty variable is an unset one (XDG Base Directory Specification).
  return CALVE_STORE || join(XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'calve');
}

/**
 * Makes a store, under its lock: of two that make it the second finds it made. `oci-layout` comes last and makes it
 * a store: whoever finds it finds everything, and what was half made is made again over what is there.
 */
async function makeStore(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    const layout = new StoreLayout(realpathSync(path));
    const ours = [
      ...layout.folders.map((folder) => relative(layout.folder, folder)),
      'index.json',
      'oci-layout',
      'lock',
    ];
    const stranger = (await readdir(path)).find((name) => !ours.includes(name));
    if (stranger !== undefined) {
      throw new CalveError('exists', `${path} is not a store and not empty: it holds ${stranger}`);
    }
    await using _lock = await takeLock(layout.lock);
    if (existsSync(layout.ociLayout)) return;
    for (const folder of layout.folders) await mkdir(folder, { recursive: true });
    const staged = { stagingFolder: layout.tmp };
    await writeFileDurably(layout.index, encodeIndex(EMPTY_INDEX), staged);
    await writeFileDurably(layout.ociLayout, IMAGE_LAYOUT, staged);
    for (const folder of [...layout.folders, layout.folder, dirname(layout.folder)]) await syncFolder(folder);
  } catch (error) {
    throw systemError(`cannot make a store in ${path}`, error);
  }
}
