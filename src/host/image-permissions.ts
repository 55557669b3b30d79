/**
 * QEMU's permissions on an image, as bits of its block layer's BLK_PERM and as bytes of the file that it locks:
 * a process that uses permission n holds a shared lock of byte USED + n, one that lets nobody else use it, of byte
 * UNSHARED + n. Seen with QEMU 7.2 in /proc/locks; block/file-posix.c, RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE.
 */
export const USED = 100;
export const UNSHARED = 200;

const CONSISTENT_READ = 0;
export const WRITE = 1;
const RESIZE = 3;

/** What each access uses: that of an image opened read-only or as a backing file, and that of one opened writable. */
export const USES: { readonly read: readonly number[]; readonly write: readonly number[] } = {
  read: [CONSISTENT_READ],
  write: [CONSISTENT_READ, WRITE, RESIZE],
};

/** What neither access shares with anybody. */
export const SHARES_NOT: readonly number[] = [WRITE, RESIZE];
