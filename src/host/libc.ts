import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type Koffi from 'koffi';
import { CalveError } from '../errors/index.ts';
import { loadKoffi } from './load-koffi.ts';

/** A byte range lock as `struct flock` has it, fcntl(2). */
export interface Flock {
  l_type: number;
  l_whence: number;
  l_start: number;
  l_len: number;
  l_pid: number;
}

/** fcntl(2): the open file description locks, and a second descriptor of the same description. */
export const F_OFD_GETLK = 36;
export const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
/** lseek(2) */
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
/** fallocate(2) */
export const FALLOC_FL_KEEP_SIZE = 1;
export const FALLOC_FL_PUNCH_HOLE = 2;

const F_DUPFD_CLOEXEC = 1030;
/** preadv2(2) */
const RWF_NOWAIT = 8;
/** send(2), recv(2) */
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** linux/fs.h: `_IOW(0x94, 9, int)`; the encoding of these machines, of which all have the same. */
const FICLONE = 0x40049409;
/** linux/fs.h: `_IOR('f', 1, long)` and `_IOW('f', 2, long)`, which in truth take an int (ioctl_iflags(2)). */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;

/** openat(2) */
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** Nanoseconds. */
const SECOND = 1_000_000_000n;

/** What calve calls in the C library. A call that fails throws the operating system's error, as `fs` does. */
export interface Libc {
  /** F_OFD_SETLK, F_OFD_GETLK; GETLK changes `lock.l_type`. */
  lock(fd: number, command: number, lock: Flock): void;
  /** F_OFD_SETLKW in the thread pool. */
  lockWaiting(fd: number, lock: Flock): Promise<void>;
  duplicate(fd: number): number;
  seek(fd: number, offset: number, whence: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): void;
  clone(targetFd: number, sourceFd: number): void;
  /** ioctl_iflags(2), FS_IOC_GETFLAGS: what lsattr shows. */
  inodeFlags(fd: number): number;
  /** FS_IOC_SETFLAGS. */
  setInodeFlags(fd: number, flags: number): void;
  /** preadv2(2) with RWF_NOWAIT: the bytes read, fewer where more would wait for a device; -1 when it failed or all would. */
  readNow(fd: number, into: Uint8Array, offset: number): number;
  /** send(2) without waiting: the bytes sent; -1 when it failed or none could be. */
  sendNow(fd: number, from: Uint8Array): number;
  /** recv(2) without waiting: the bytes received, 0 at the end; -1 when it failed or nothing has come. */
  receiveNow(fd: number, into: Uint8Array): number;
  /** copy_file_range(2) in the thread pool; the bytes copied, 0 at the end of the source. */
  copyRange(sourceFd: number, from: number, targetFd: number, to: number, length: number): Promise<number>;
  /** syncfs(2) in the thread pool. */
  syncFileSystem(fd: number): Promise<void>;
  /** utimensat(2), of a symlink itself. Paths end with a zero byte; times are nanoseconds since 1970. */
  setTimes(path: Uint8Array, atime: bigint, mtime: bigint): void;
  /** lsetxattr(2). The path and the name end with a zero byte. */
  setAttribute(path: Uint8Array, name: Uint8Array, value: Uint8Array): void;
  /** llistxattr(2): the names, each with a zero byte behind it; how many bytes they are. The path ends with a zero byte. */
  attributeNames(path: Uint8Array, into: Uint8Array): number;
  /** lgetxattr(2): how many bytes the value has. The path and the name end with a zero byte. */
  attribute(path: Uint8Array, name: Uint8Array, into: Uint8Array): number;
  /** mkfifo(3). The path ends with a zero byte. */
  makeFifo(path: Uint8Array, mode: number): void;
}

let loaded: Libc | CalveError | undefined;

/**
 * The C library. Loaded by the first call, because that takes 20 ms.
 * @throws CalveError `unsupported` where it is not Linux's 64-bit one, or koffi does not load
 */
export function libc(): Libc {
  loaded ??= load();
  if (loaded instanceof CalveError) throw loaded;
  return loaded;
}

/** As `libc`, but undefined where there is none: for what has a fallback. */
export function libcIfAny(): Libc | undefined {
  loaded ??= load();
  return loaded instanceof CalveError ? undefined : loaded;
}

function load(): Libc | CalveError {
  const koffi = loadKoffi();
  return koffi instanceof CalveError ? koffi : declare(koffi);
}

function declare(koffi: typeof Koffi): Libc {
  const library = koffi.load(null);
  const flock = koffi.pointer(
    koffi.struct({ l_type: 'int16', l_whence: 'int16', l_start: 'int64', l_len: 'int64', l_pid: 'int32' }),
  );
  const fcntl: (fd: number, command: number, type: unknown, value: unknown) => number = library.func(
    'int fcntl(int fd, int command, ...)',
  );
  const ioctl: (fd: number, request: number, type: string, value: number | Uint8Array) => number =
    library.func('int ioctl(int fd, unsigned long request, ...)');
  const lseek: (fd: number, offset: number, whence: number) => number | bigint = library.func(
    'int64 lseek(int fd, int64 offset, int whence)',
  );
  const fallocate: (fd: number, mode: number, offset: number, length: number) => number = library.func(
    'int fallocate(int fd, int mode, int64 offset, int64 length)',
  );
  // koffi cannot call a variadic function in the thread pool. Linux passes a pointer to a variadic function in
  // the same register as to any other on each machine that loadKoffi lets in, so that for this one call the plain declaration does.
  const fcntlAsync = library.func('fcntl', 'int', ['int', 'int', flock]);
  const iovec = koffi.pointer(koffi.struct({ base: 'void *', length: 'size_t' }));
  const preadv2: (fd: number, into: object, count: number, offset: number, flags: number) => number | bigint =
    library.func('preadv2', 'int64', ['int', iovec, 'int', 'int64', 'int']);
  const send: (fd: number, from: Uint8Array, length: number, flags: number) => number | bigint = library.func(
    'int64 send(int fd, const uint8_t *from, size_t length, int flags)',
  );
  const receive: (fd: number, into: Uint8Array, length: number, flags: number) => number | bigint =
    library.func('int64 recv(int fd, uint8_t *into, size_t length, int flags)');
  const offset = koffi.pointer('int64');
  const copyFileRange = library.func('copy_file_range', 'int64', [
    'int',
    koffi.inout(offset),
    'int',
    koffi.inout(offset),
    'size_t',
    'uint',
  ]);

  const syncfs = library.func('syncfs', 'int', ['int']);
  const path = 'const uint8_t *';
  const utimensat: (folder: number, path: Uint8Array, times: Uint8Array, flags: number) => number =
    library.func('utimensat', 'int', ['int', path, path, 'int']);
  const lsetxattr: (
    path: Uint8Array,
    name: Uint8Array,
    value: Uint8Array,
    size: number,
    flags: number,
  ) => number = library.func('lsetxattr', 'int', [path, path, path, 'size_t', 'int']);
  const llistxattr: (path: Uint8Array, into: Uint8Array, size: number) => number | bigint = library.func(
    'int64 llistxattr(const uint8_t *path, uint8_t *into, size_t size)',
  );
  const lgetxattr: (path: Uint8Array, name: Uint8Array, into: Uint8Array, size: number) => number | bigint =
    library.func('int64 lgetxattr(const uint8_t *path, const uint8_t *name, uint8_t *into, size_t size)');
  const mkfifo: (path: Uint8Array, mode: number) => number = library.func('mkfifo', 'int', [path, 'uint']);

  function check(call: string, result: number | bigint): number {
    if (result < 0) throw errnoError(call, koffi.errno());
    return Number(result);
  }

  function inThreadPool(
    call: string,
    start: (done: (error: unknown, result: number | bigint) => void) => void,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    start((error, result) => {
      // koffi gives the callback the errno of the thread that made the call.
      if (error) reject(error);
      else if (result < 0) reject(errnoError(call, koffi.errno()));
      else resolve(Number(result));
    });
    return promise;
  }

  // As `flock` has it, by hand, because opening an image takes ten of these calls: little-endian, as all the machines.
  const bytes = new DataView(new ArrayBuffer(32));

  return {
    lock(fd, command, lock) {
      bytes.setInt16(0, lock.l_type, true);
      bytes.setInt16(2, lock.l_whence, true);
      bytes.setBigInt64(8, BigInt(lock.l_start), true);
      bytes.setBigInt64(16, BigInt(lock.l_len), true);
      bytes.setInt32(24, lock.l_pid, true);
      check('fcntl', fcntl(fd, command, 'void *', bytes));
      lock.l_type = bytes.getInt16(0, true);
    },
    async lockWaiting(fd, lock) {
      await inThreadPool('fcntl', (done) => fcntlAsync.async(fd, F_OFD_SETLKW, lock, done));
    },
    duplicate: (fd) => check('fcntl', fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0)),
    seek: (fd, at, whence) => check('lseek', lseek(fd, at, whence)),
    fallocate(fd, mode, at, length) {
      check('fallocate', fallocate(fd, mode, at, length));
    },
    clone(targetFd, sourceFd) {
      check('ioctl', ioctl(targetFd, FICLONE, 'int', sourceFd));
    },
    inodeFlags(fd) {
      // Room for a long, should some file system take the request's name at its word. MACHINES are little-endian.
      const flags = Buffer.alloc(8);
      check('ioctl', ioctl(fd, FS_IOC_GETFLAGS, 'void *', flags));
      return flags.readInt32LE();
    },
    setInodeFlags(fd, value) {
      const flags = Buffer.alloc(8);
      flags.writeInt32LE(value);
      check('ioctl', ioctl(fd, FS_IOC_SETFLAGS, 'void *', flags));
    },
    readNow: (fd, into, at) => Number(preadv2(fd, { base: into, length: into.length }, 1, at, RWF_NOWAIT)),
    sendNow: (fd, from) => Number(send(fd, from, from.length, MSG_DONTWAIT | MSG_NOSIGNAL)),
    receiveNow: (fd, into) => Number(receive(fd, into, into.length, MSG_DONTWAIT)),
    copyRange: (sourceFd, from, targetFd, to, length) =>
      inThreadPool('copy_file_range', (done) =>
        copyFileRange.async(sourceFd, [from], targetFd, [to], length, 0, done),
      ),
    async syncFileSystem(fd) {
      await inThreadPool('syncfs', (done) => syncfs.async(fd, done));
    },
    setTimes(at, atime, mtime) {
      // Two of struct timespec.
      const times = Buffer.alloc(32);
      for (const [index, time] of [atime, mtime].entries()) {
        const fraction = ((time % SECOND) + SECOND) % SECOND;
        times.writeBigInt64LE((time - fraction) / SECOND, index * 16);
        times.writeBigInt64LE(fraction, index * 16 + 8);
      }
      check('utimensat', utimensat(AT_FDCWD, at, times, AT_SYMLINK_NOFOLLOW));
    },
    setAttribute(at, name, value) {
      check('lsetxattr', lsetxattr(at, name, value, value.length, 0));
    },
    attributeNames: (at, into) => check('llistxattr', llistxattr(at, into, into.length)),
    attribute: (at, name, into) => check('lgetxattr', lgetxattr(at, name, into, into.length)),
    makeFifo(at, mode) {
      check('mkfifo', mkfifo(at, mode));
    },
  };
}

function errnoError(call: string, errno: number): NodeJS.ErrnoException {
  // Node's name, so that both kinds of call name an error alike; the system's where Node has none (EDQUOT).
  const [name, reason] = getSystemErrorMap().get(-errno) ?? [nameOf(errno), 'no description'];
  return Object.assign(new Error(`${name}: ${reason}, ${call}`), {
    code: name,
    errno: -errno,
    syscall: call,
  });
}

function nameOf(errno: number): string {
  const named = Object.entries(constants.errno).find(([, number]) => number === errno);
  return named?.[0] ?? `errno ${errno}`;
}
