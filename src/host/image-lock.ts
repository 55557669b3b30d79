import { CalveError, systemError } from '../errors/index.ts';
import type { HostFile } from './host-file.ts';
import { type LockHolder, lockHoldersOf } from './image-lock-holders.ts';
import { SHARES_NOT, UNSHARED, USED, USES } from './image-permissions.ts';
import { isLocked, setLock } from './ofd-lock.ts';

/** Reading goes along with other readers; writing with nobody. */
export type ImageAccess = 'read' | 'write';

/** A lock that QEMU respects, as calve respects QEMU's. Ends with `release`, and with the file at the latest. */
export interface ImageLock extends Disposable {
  readonly access: ImageAccess;
  /** A second call does nothing. */
  release(): void;
}

/** One open file description has one set of locks, so that a second lock of it would be released with the first. */
const locked = new WeakSet<HostFile>();

/**
 * Takes the locks on an image that QEMU takes when it opens it for this access. Does not wait. The file need not be
 * writable, and its content is not looked at.
 * @throws CalveError `in-use`, with `data.holders` (LockHolder[]) as far as they can be found out; `unsupported`,
 *   `closed`, `io`
 */
export function lockImage(file: HostFile, access: ImageAccess): ImageLock {
  if (file.closed) throw new CalveError('closed', `cannot lock ${file.path}: it was closed before`);
  if (locked.has(file)) throw inUse(file, access);
  const bytes = [...USES[access].map((bit) => USED + bit), ...SHARES_NOT.map((bit) => UNSHARED + bit)];
  // First taken, then compared with everybody else's: of two that come at one time at least one sees the other.
  const conflicting = [...USES[access].map((bit) => UNSHARED + bit), ...SHARES_NOT.map((bit) => USED + bit)];
  let free: boolean;
  try {
    free =
      bytes.every((byte) => setLock(file.fd, 'shared', byte, 1)) &&
      !conflicting.some((byte) => isLocked(file.fd, byte, 1));
    if (!free) releaseAll(file);
  } catch (error) {
    throw systemError(`cannot lock ${file.path}`, error);
  }
  if (!free) throw inUse(file, access);
  locked.add(file);
  return new HeldImageLock(file, access);
}

class HeldImageLock implements ImageLock {
  readonly access: ImageAccess;
  #file: HostFile | undefined;

  constructor(file: HostFile, access: ImageAccess) {
    this.#file = file;
    this.access = access;
  }

  release(): void {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    locked.delete(file);
    if (!file.closed) releaseAll(file);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Every byte that stands for a permission, used or unshared. */
function releaseAll(file: HostFile): void {
  setLock(file.fd, 'none', USED, 2 * (UNSHARED - USED));
}

function inUse(file: HostFile, access: ImageAccess): CalveError {
  const all = lockHoldersOf(file.stat());
  const writers = all.filter((holder) => holder.access === 'write');
  // Who reads is in a writer's way alone.
  const holders = access === 'read' && writers.length > 0 ? writers : all;
  const names = holders.length === 0 ? 'another process' : holders.map(nameOf).join(', ');
  return new CalveError('in-use', `${file.path} is in use by ${names}`, {
    data: { path: file.path, access, holders },
  });
}

function nameOf(holder: LockHolder): string {
  return `${holder.pid === process.pid ? 'this process' : holder.command} (pid ${holder.pid})`;
}
