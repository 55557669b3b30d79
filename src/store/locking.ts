import { CalveError } from '../errors/index.ts';
import { type HostFile, lock, openFile, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { journalIsEmpty, replayJournal } from './journal.ts';
import { reclaimStaging } from './staging.ts';

/**
 * Runs `action` while nobody else publishes, moves a ref, swaps an env, collects or empties. Before it, what
 * processes that died left behind is put right: their staging folders are removed, their recorded moves finished.
 *
 * Whoever holds an env's image lock may wait here; whoever is in here never waits for an image lock. Not reentrant.
 * @param signal ends the waiting, not the action
 */
export async function locked<T>(
  context: StoreContext,
  action: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const replayed = async (): Promise<T> => {
    await replayJournal(context);
    return await action();
  };
  return lockedAsFound(context, replayed, signal);
}

/** As `locked`, but recorded moves stay as they are: for fsck, which tells of one that cannot be finished. */
export async function lockedAsFound<T>(
  context: StoreContext,
  action: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  return inTurn(context.layout.lock, async () => {
    await using _file = await takeLock(context.layout.lock, signal);
    // Staging first: it gives space back, which finishing a move may need.
    await reclaimStaging(context);
    return await action();
  });
}

/**
 * For those who only read: what was decided is in place. Takes the lock only while some writer is between the steps
 * of a move, dead or alive.
 */
export async function settled(context: StoreContext): Promise<void> {
  if (!(await journalIsEmpty(context))) await locked(context, async () => {});
}

/** The last of each store's waiting actions in this process. */
const turns = new Map<string, Promise<unknown>>();

/**
 * One action of this process at a time asks the kernel. Waiting there takes a thread of Node's pool, and those who
 * wait for this process's own holder could take every thread that the holder needs to go on.
 */
function inTurn<T>(key: string, action: () => Promise<T>): Promise<T> {
  const turn = (turns.get(key) ?? Promise.resolve()).then(action, action);
  turns.set(key, turn);
  const forget = () => {
    if (turns.get(key) === turn) turns.delete(key);
  };
  turn.then(forget, forget);
  return turn;
}

/** The lock file, locked: the one that lies there now, should somebody have removed it meanwhile. */
export async function takeLock(path: string, signal?: AbortSignal): Promise<HostFile> {
  for (;;) {
    const file = await openLockFile(path);
    try {
      await lock(file, signal === undefined ? {} : { signal });
      if (statFile(path)?.inode === file.stat().inode) return file;
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
  }
}

async function openLockFile(path: string): Promise<HostFile> {
  try {
    return await openFile(path, { writable: true });
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
  }
  try {
    return await openFile(path, { create: true });
  } catch (error) {
    if (!CalveError.is(error, 'exists')) throw error;
    return openFile(path, { writable: true });
  }
}
