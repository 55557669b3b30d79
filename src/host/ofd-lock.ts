import { errnoOf } from '../errors/index.ts';
import { F_OFD_GETLK, F_OFD_SETLK, F_RDLCK, F_UNLCK, F_WRLCK, type Flock, libc } from './libc.ts';

/**
 * Locks of the open file description, fcntl(2): they belong to one `openFile`, conflict with every other one's in
 * this process and others, and end with its last descriptor.
 */
export type LockType = 'shared' | 'exclusive' | 'none';

const TYPES: Record<LockType, number> = { shared: F_RDLCK, exclusive: F_WRLCK, none: F_UNLCK };

/** Sets bytes' lock, or takes it away; false when another description's lock is in the way. */
export function setLock(fd: number, type: LockType, start: number, length: number): boolean {
  for (;;) {
    try {
      libc().lock(fd, F_OFD_SETLK, flock(type, start, length));
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EAGAIN' || errno === 'EACCES') return false;
      if (errno !== 'EINTR') throw error;
    }
  }
}

/** Whether another description holds a lock on these bytes, of either type. */
export function isLocked(fd: number, start: number, length: number): boolean {
  const lock = flock('exclusive', start, length);
  libc().lock(fd, F_OFD_GETLK, lock);
  return lock.l_type !== F_UNLCK;
}

/** As `setLock`, but waits in the kernel, on one thread of the pool. */
export async function waitForLock(fd: number, type: LockType, start: number, length: number): Promise<void> {
  for (;;) {
    try {
      return await libc().lockWaiting(fd, flock(type, start, length));
    } catch (error) {
      if (errnoOf(error) !== 'EINTR') throw error;
    }
  }
}

/** `length` 0 is to the end of the file, however far it grows. */
function flock(type: LockType, start: number, length: number): Flock {
  return { l_type: TYPES[type], l_whence: 0, l_start: start, l_len: length, l_pid: 0 };
}
