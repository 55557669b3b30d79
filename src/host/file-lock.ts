import { closeSync } from 'node:fs';
import { CalveError, systemError } from '../errors/index.ts';
import type { HostFile } from './host-file.ts';
import { libc } from './libc.ts';
import { setLock, waitForLock } from './ofd-lock.ts';

/** A wait in the kernel that was begun for a file. */
interface Wait {
  /** How many calls of `lock` still want what comes of it. */
  wanted: number;
  readonly arrived: Promise<void>;
}

const waits = new WeakMap<HostFile, Wait>();
/** The last wait of each inode: see `inTurn`. */
const turns = new Map<string, Promise<void>>();

/**
 * Takes the exclusive lock of a whole file, which every other `openFile` of it then fails to take, in this process
 * or another, until `unlock` or `close`. False when it is taken already. The file must be writable.
 * @throws CalveError `unsupported`, `closed`, `io`
 */
export function tryLock(file: HostFile): boolean {
  const taken = set(file, 'exclusive');
  const wait = waits.get(file);
  // The wait of an aborted `lock` ends by giving back the lock, which is this call's from now on.
  if (taken && wait) wait.wanted += 1;
  return taken;
}

/**
 * As `tryLock`, but waits for its turn in the kernel. An abort rejects at once; should the lock arrive later, it
 * is given back.
 *
 * Each locked file that is waited for takes one thread of Node's pool, and `process.exit()` waits for that thread:
 * a program that is to end while it waits must end itself by a signal.
 * @throws CalveError `aborted`, `unsupported`, `closed`, `io`
 */
export async function lock(file: HostFile, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
  const { signal } = options;
  if (signal?.aborted) throw ended(file, signal);
  if (tryLock(file)) return;
  const wait = waits.get(file) ?? beginWait(file);
  wait.wanted += 1;
  const { promise: abort, reject } = Promise.withResolvers<never>();
  const onAbort = () => {
    wait.wanted -= 1;
    reject(ended(file, signal));
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([wait.arrived, abort]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Gives the lock back; does nothing where there is none. */
export function unlock(file: HostFile): void {
  const wait = waits.get(file);
  if (wait) wait.wanted = 0;
  set(file, 'none');
}

function set(file: HostFile, type: 'exclusive' | 'none'): boolean {
  const verb = type === 'none' ? 'unlock' : 'lock';
  if (file.closed) throw new CalveError('closed', `cannot ${verb} ${file.path}: it was closed before`);
  try {
    return setLock(file.fd, type, 0, 0);
  } catch (error) {
    throw systemError(`cannot ${verb} ${file.path}`, error);
  }
}

function beginWait(file: HostFile): Wait {
  const { device, inode } = file.stat();
  // A second descriptor of the same description, whose number stays ours though the file be closed meanwhile.
  const fd = duplicate(file);
  const arrived = inTurn(`${device}:${inode}`, async () => {
    try {
      if (wait.wanted > 0) await waitForLock(fd, 'exclusive', 0, 0);
      if (wait.wanted === 0) setLock(fd, 'none', 0, 0);
      if (file.closed)
        throw new CalveError('closed', `${file.path} was closed while its lock was waited for`);
    } catch (error) {
      throw systemError(`cannot lock ${file.path}`, error);
    } finally {
      waits.delete(file);
      closeSync(fd);
    }
  });
  const wait: Wait = { wanted: 0, arrived };
  arrived.catch(() => {}); // whoever still wants it is told by `lock`
  waits.set(file, wait);
  return wait;
}

function duplicate(file: HostFile): number {
  try {
    return libc().duplicate(file.fd);
  } catch (error) {
    throw systemError(`cannot lock ${file.path}`, error);
  }
}

/**
 * One wait of an inode at a time: were each to take its thread of the pool, the process's own holder of the lock
 * could find no thread to do the work that the others wait for.
 */
function inTurn(inode: string, action: () => Promise<void>): Promise<void> {
  const turn = (turns.get(inode) ?? Promise.resolve()).catch(() => {}).then(action);
  turns.set(inode, turn);
  const forget = () => {
    if (turns.get(inode) === turn) turns.delete(inode);
  };
  turn.then(forget, forget);
  return turn;
}

function ended(file: HostFile, signal: AbortSignal | undefined): CalveError {
  return new CalveError('aborted', `waiting for the lock of ${file.path} was ended`, {
    cause: signal?.reason,
  });
}
