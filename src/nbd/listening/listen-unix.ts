import { once } from 'node:events';
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { CalveError, errnoOf, systemError } from '../../errors/index.ts';
import { type HostFile, lock, openFile, statFile } from '../../host/index.ts';
import type { NbdServer } from '../server/nbd-server.ts';

/** Bytes of the longest path of a unix socket (unix(7): 108 with the NUL). */
const LONGEST_PATH = 107;

/**
 * Listens on a unix socket that its owner alone may connect to. A socket on which nobody listens any more, which a
 * server leaves behind that was killed, is replaced; anything else that is there is not.
 * @throws CalveError `in-use` where another server listens, `exists` for a file that is no socket; `usage` for a path
 *   that is too long; `denied`, `not-found`, `io`
 */
export async function listenUnix(server: NbdServer, path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new CalveError('usage', `${path}: a socket's path has at most ${LONGEST_PATH} bytes`);
  }
  const folder = dirname(path);
  // Node tells of a missing folder as of one that is not to be written to.
  if (!existsSync(folder))
    throw new CalveError('not-found', `cannot listen on ${path}: there is no ${folder}`);
  for (;;) {
    try {
      await listenPrivately(server, path);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE') throw error;
    }
    if (!isSocket(path)) continue; // gone meanwhile
    if (await isServed(path)) throw new CalveError('in-use', `another server listens on ${path}`);
    await removeStale(path);
  }
}

/** The mode is the socket's from its first moment on. Node binds before `listen` returns its promise. */
function listenPrivately(server: NbdServer, path: string): Promise<unknown> {
  const before = process.umask(0o177);
  try {
    return server.listen({ path });
  } finally {
    process.umask(before);
  }
}

/** @throws CalveError `exists` when something else is there */
function isSocket(path: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isSocket()) return stat !== undefined;
  throw new CalveError('exists', `${path} exists and is no socket`);
}

async function isServed(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ECONNREFUSED' || errno === 'ENOENT') return false;
    // Its queue is full: somebody is behind it.
    if (errno === 'EAGAIN') return true;
    throw systemError(`cannot tell whether a server listens on ${path}`, error);
  } finally {
    socket.destroy();
  }
}

/**
 * Removes a socket on which nobody listens. Others may be about to do the same, and one of them have a fresh socket at
 * its place already; so one at a time looks and removes, and what is there cannot be replaced in between.
 */
async function removeStale(path: string): Promise<void> {
  const lockPath = `${path}.lock`;
  await using file = await openLockFile(lockPath);
  if (file === undefined) return;
  await lock(file);
  // Whoever had the lock before has removed its file: then there is another one by now, or none.
  if (statFile(lockPath)?.inode !== file.stat().inode) return;
  try {
    if (isSocket(path) && !(await isServed(path))) unlinkSync(path);
  } catch (error) {
    throw systemError(`cannot replace the socket ${path}`, error);
  } finally {
    unlinkSync(lockPath);
  }
}

/** Undefined when somebody removed it at this moment. */
async function openLockFile(path: string): Promise<HostFile | undefined> {
  try {
    return await openFile(path, { create: true, mode: 0o600 });
  } catch (error) {
    if (!CalveError.is(error, 'exists')) throw error;
  }
  try {
    return await openFile(path, { writable: true });
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
    return undefined;
  }
}
