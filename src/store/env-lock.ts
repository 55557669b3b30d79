import * as v from 'valibot';
import { CalveError } from '../errors/index.ts';
import {
  type HostFile,
  type ImageAccess,
  type ImageLock,
  lockImage,
  openFile,
  statFile,
} from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { type EnvDocument, readEnvDocument } from './env-document.ts';
import { settled } from './locking.ts';
import { lookAtEnv } from './look-at-env.ts';
import { overlayMissing } from './overlay-missing.ts';

/** An env's overlay under QEMU's image lock: while it is held no QEMU opens it in a way that conflicts. */
export interface LockedOverlay extends AsyncDisposable {
  readonly file: HostFile;
  /** Gives the lock back; a second call does nothing. */
  release(): Promise<void>;
}

/** A locked env, and what it is: that cannot change until the lock is given back. */
export interface LockedEnv extends LockedOverlay {
  readonly env: EnvDocument;
}

/**
 * Locks an env as QEMU would lock its overlay for this access. Never waits.
 * @throws CalveError `not-found`, `usage`; `in-use` naming the holders, with `data.holders`; `corrupt`
 */
export async function lockEnv(context: StoreContext, name: string, access: ImageAccess): Promise<LockedEnv> {
  const overlay = await lockOverlay(context, name, access);
  try {
    const env = await readEnvDocument(context.layout.envDocument(name));
    return { ...overlay, env };
  } catch (error) {
    await overlay.release();
    throw error;
  }
}

/** As `lockEnv`, when nothing but the overlay need be sound. */
export async function lockOverlay(
  context: StoreContext,
  name: string,
  access: ImageAccess,
): Promise<LockedOverlay> {
  const path = context.layout.overlay(name);
  for (;;) {
    const file = await lookAtEnv(context, name, () => openOverlay(context, name, access));
    let lock: ImageLock | undefined;
    try {
      lock = lockOf(file, name, access);
      // A writer that died may have left this env between two steps. Whoever could be in between alive holds this
      // lock, so that once settled nothing changes.
      await settled(context);
      // Somebody may have put another overlay in place before we had the lock, or just now a replay.
      if (statFile(path)?.inode === file.stat().inode) return heldOverlay(file, lock);
    } catch (error) {
      lock?.release();
      await file.close();
      throw error;
    }
    lock.release();
    await file.close();
  }
}

async function openOverlay(context: StoreContext, name: string, access: ImageAccess): Promise<HostFile> {
  const path = context.layout.overlay(name);
  try {
    return await openFile(path, { writable: access === 'write' });
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
    throw overlayMissing(name, path, error);
  }
}

function heldOverlay(file: HostFile, lock: ImageLock): LockedOverlay {
  const release = async (): Promise<void> => {
    if (!file.closed) lock.release();
    await file.close();
  };
  return { file, release, [Symbol.asyncDispose]: release };
}

const holdersSchema = v.looseObject({
  holders: v.array(v.looseObject({ pid: v.number(), command: v.string() })),
});

function lockOf(file: HostFile, name: string, access: ImageAccess): ImageLock {
  try {
    return lockImage(file, access);
  } catch (error) {
    if (!CalveError.is(error, 'in-use')) throw error;
    throw envInUse(name, error);
  }
}

/** `environment work is in use by qemu-system-x86_64 (pid 123)`. */
export function envInUse(name: string, error: CalveError): CalveError {
  const { holders } = v.is(holdersSchema, error.data) ? error.data : { holders: [] };
  const names = holders.map(({ command, pid }) => `${command} (pid ${pid})`);
  const by = names.length === 0 ? 'another process' : names.join(', ');
  return new CalveError('in-use', `environment ${name} is in use by ${by}`, {
    cause: error,
    data: { ...error.data, env: name },
  });
}
