import { randomBytes } from 'node:crypto';
import { fchmod } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { CalveError, errnoOf, systemError } from '../errors/index.ts';
import { type HostFile, makeMutable, openFile, renameDurably, statFile, tryLock } from '../host/index.ts';
import type { StoreContext } from './context.ts';

const LOCK = '.lock';

/**
 * A writer's own folder `tmp/<id>/` for what is not whole yet. It lives as long as the lock on `tmp/<id>.lock`: the
 * lock file is there before the folder and goes after it, so a folder without a held lock is nobody's.
 */
export class Staging implements AsyncDisposable {
  readonly id: string;
  readonly folder: string;
  /** The store that it is in. */
  readonly context: StoreContext;
  readonly #lock: HostFile;

  constructor(context: StoreContext, lock: HostFile) {
    this.context = context;
    this.id = basename(lock.path, LOCK);
    this.folder = lock.path.slice(0, -LOCK.length);
    this.#lock = lock;
  }

  /** The path of a file or folder in here. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /**
   * Removes the folder and what is left in it. Where that fails it is nobody's, and whoever takes the store lock next
   * removes it or tells why not: what it served has happened or failed already, which is what the caller must learn.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await removeAll(this.folder);
      await removeAll(this.#lock.path);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
    } finally {
      await this.#lock.close();
    }
  }
}

/** A new staging folder. */
export async function openStaging(context: StoreContext): Promise<Staging> {
  for (;;) {
    const lock = await openFile(`${join(context.layout.tmp, newId())}${LOCK}`, { create: true });
    // Somebody who reclaims may have come between the file and its lock; then another name is tried.
    let ours = false;
    try {
      ours = tryLock(lock) && statFile(lock.path)?.inode === lock.stat().inode;
    } finally {
      if (!ours) await lock.close();
    }
    if (!ours) continue;
    const staging = new Staging(context, lock);
    context.step('make staging folder');
    try {
      await mkdir(staging.folder);
    } catch (error) {
      await staging[Symbol.asyncDispose]();
      throw systemError(`cannot make ${staging.folder}`, error);
    }
    return staging;
  }
}

/** Makes a folder in staging; durable once what holds it is synced. Does nothing where it is there. */
export async function makeStagedFolder(path: string): Promise<void> {
  try {
    // Not `recursive`, with which Node tells of another error than the one that there was.
    await mkdir(path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw systemError(`cannot make the folder ${path}`, error);
  }
}

/**
 * Writes a new file whose bytes are durable; its name is not, until its folder is synced.
 * @param mode permission bits, exactly
 */
export async function writeStaged(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  await using file = await openFile(path, { create: true, mode });
  await file.write(typeof data === 'string' ? Buffer.from(data) : data, 0);
  await sealStaged(file, mode);
}

/** Makes a staged file's bytes and mode durable. */
export async function sealStaged(file: HostFile, mode: number): Promise<void> {
  try {
    await promisify(fchmod)(file.fd, mode);
  } catch (error) {
    throw systemError(`cannot change the mode of ${file.path}`, error);
  }
  await file.sync();
}

/** Removes what dead writers left in `tmp`. The store lock is held: two that reclaim would be in each other's way. */
export async function reclaimStaging(context: StoreContext): Promise<void> {
  const { tmp } = context.layout;
  for (const name of await listFolder(tmp)) {
    const path = join(tmp, name);
    if (name.endsWith(LOCK)) await reclaimLocked(path);
    // Looked up now, not in the listing: a living writer's lock file is there before its folder.
    else if (statFile(`${path}${LOCK}`) === undefined) await removeAll(path);
  }
}

async function reclaimLocked(lockPath: string): Promise<void> {
  let lock: HostFile;
  try {
    lock = await openFile(lockPath, { writable: true });
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return; // its writer ended meanwhile
    throw error;
  }
  try {
    if (tryLock(lock)) {
      await removeAll(lockPath.slice(0, -LOCK.length));
      await removeAll(lockPath);
    }
  } finally {
    await lock.close();
  }
}

/**
 * Deletes a file or folder of the store so that it is there whole or gone at any instant: moved into `tmp` under a
 * name without a lock, then removed from there. Needs no space. Durable when it returns.
 *
 * @returns removes what was moved; to be awaited once the store lock is given back, for it may take long
 */
export async function discard(context: StoreContext, path: string): Promise<() => Promise<void>> {
  const away = join(context.layout.tmp, newId());
  context.step(`discard ${basename(path)}`);
  await renameDurably(path, away);
  return () => removeAll(away);
}

/** What a folder of the store holds; nothing where it is not there. Sorted. */
export async function listFolder(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    const failed = systemError(`cannot list ${path}`, error);
    if (failed.code === 'not-found') return [];
    throw failed;
  }
}

/** Deletes a file or folder of `tmp`, which another may be deleting too. */
export async function removeAll(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const failed = systemError(`cannot remove ${path}`, error);
    // Two may be removing one leftover.
    if (failed.code === 'not-found' || statFile(path) === undefined) return;
    // A writer that died may have been about to find out whether it can make its layers immutable.
    if (!(await makeMutable(path))) throw failed;
    await removeAll(path);
  }
}

/** A name that nobody else uses. */
export function newId(): string {
  return randomBytes(8).toString('hex');
}
