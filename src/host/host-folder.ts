import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { CalveError, systemError } from '../errors/index.ts';
import { HostFile } from './host-file.ts';
import { libc } from './libc.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Only its maker, until it is whole and gets its own permissions. */
const MADE_FOLDER = 0o700;
const MADE_FILE = 0o600;
/** The folder itself as a name in it. */
const ITSELF = Buffer.from('.');

/**
 * An open folder, in which names are bytes. Whatever is done to a name is done in this very folder, wherever it was
 * moved to, and to what lies under that name itself: no symlink is followed. So what somebody else chose, the names in
 * a guest, leads nowhere else.
 *
 * The names are looked up through `/proc/self/fd`, which Linux resolves to the open folder: what openat(2) and its
 * like do. Every member throws CalveError as `systemError` has it, and `invalid` for a name that is none.
 */
export class HostFolder implements Disposable {
  /** For messages: how it was come upon. */
  readonly path: string;
  readonly #fd: number;
  #isClosed = false;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Opens a folder that the user named; symlinks on the way to it are followed.
   * @throws CalveError `not-found`, `denied`, `io`; `unsupported` where it is not Linux
   */
  static open(path: string | Buffer): HostFolder {
    if (process.platform !== 'linux') {
      throw new CalveError('unsupported', `copying trees of files takes Linux, got ${process.platform}`);
    }
    return HostFolder.#open(path.toString(), path, O_RDONLY | O_DIRECTORY);
  }

  static #open(shown: string, path: string | Buffer, flags: number): HostFolder {
    return new HostFolder(
      shown,
      attempt('open', shown, () => openSync(path, flags)),
    );
  }

  openFolder(name: Uint8Array): HostFolder {
    checkName(name);
    return HostFolder.#open(this.#shown(name), this.#at(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }

  /** Makes a folder that nobody else can look into, and opens it. @throws CalveError `exists` */
  makeFolder(name: Uint8Array): HostFolder {
    this.#do('make', name, (path) => mkdirSync(path, MADE_FOLDER));
    return this.openFolder(name);
  }

  /** Makes a regular file that nobody else can read, open for writing. @throws CalveError `exists` */
  createFile(name: Uint8Array): HostFile {
    const fd = this.#do('create', name, (path) => openSync(path, O_RDWR | O_CREAT | O_EXCL, MADE_FILE));
    return new HostFile(this.#shown(name), fd, true);
  }

  /** Opens a regular file for reading. @throws CalveError `unsupported` when it is none */
  openFile(name: Uint8Array): HostFile {
    const fd = this.#do('open', name, (path) => openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (fstatSync(fd).isFile()) return new HostFile(this.#shown(name), fd, false);
    closeSync(fd);
    throw new CalveError('unsupported', `cannot open ${this.#shown(name)}: expected a regular file`);
  }

  /** Undefined when nothing has the name. */
  stat(name: Uint8Array): BigIntStats | undefined {
    return this.#do('stat', name, (path) => lstatSync(path, { bigint: true, throwIfNoEntry: false }));
  }

  /** Of the folder itself. */
  statItself(): BigIntStats {
    return attempt('stat', this.path, () => fstatSync(this.#fd, { bigint: true }));
  }

  names(): Buffer[] {
    return attempt('list', this.path, () => readdirSync(this.#at(ITSELF), { encoding: 'buffer' }));
  }

  readLink(name: Uint8Array): Buffer {
    return this.#do('read', name, (path) => readlinkSync(path, { encoding: 'buffer' }));
  }

  /** @throws CalveError `exists` */
  makeSymlink(name: Uint8Array, target: Buffer): void {
    this.#do('make', name, (path) => symlinkSync(target, path));
  }

  /** @param mode permission bits, less the umask @throws CalveError `exists` */
  makeFifo(name: Uint8Array, mode: number): void {
    this.#do('make', name, (path) => libc().makeFifo(terminated(path), mode));
  }

  /** Gives what lies in another folder a name in this one. @throws CalveError `exists` */
  link(name: Uint8Array, folder: HostFolder, other: Uint8Array): void {
    this.#do('link', name, (path) => linkSync(folder.#at(other), path));
  }

  /** Moves a name within the folder, onto whatever but a folder had the new one. */
  rename(from: Uint8Array, to: Uint8Array): void {
    this.#do('rename', from, (path) => renameSync(path, this.#at(to)));
  }

  /** Takes away the name of anything but a folder. */
  remove(name: Uint8Array): void {
    this.#do('remove', name, (path) => unlinkSync(path));
  }

  /** Removes what has the name, a folder with all that is in it; nothing when nothing has it. */
  removeTree(name: Uint8Array): void {
    const stats = this.stat(name);
    if (stats?.isDirectory() !== true) {
      if (stats !== undefined) this.remove(name);
      return;
    }
    {
      using folder = this.openFolder(name);
      folder.setMode(MADE_FOLDER);
      for (const each of folder.names()) folder.removeTree(each);
    }
    this.#do('remove', name, (path) => rmdirSync(path));
  }

  /** Of a symlink itself. */
  setOwner(name: Uint8Array, uid: number, gid: number): void {
    this.#do('set the owner of', name, (path) => lchownSync(path, uid, gid));
  }

  /** Of a symlink itself; nanoseconds since 1970. */
  setTimes(name: Uint8Array, atime: bigint, mtime: bigint): void {
    this.#do('set the times of', name, (path) => libc().setTimes(terminated(path), atime, mtime));
  }

  /** Of a symlink itself. */
  setAttribute(name: Uint8Array, attribute: Uint8Array, value: Uint8Array): void {
    this.#do('set an attribute of', name, (path) =>
      libc().setAttribute(terminated(path), terminated(attribute), value),
    );
  }

  /** Of the folder itself, as the next three. */
  setMode(mode: number): void {
    attempt('change the mode of', this.path, () => fchmodSync(this.#fd, mode));
  }
  setItsOwner(uid: number, gid: number): void {
    attempt('set the owner of', this.path, () => fchownSync(this.#fd, uid, gid));
  }
  setItsTimes(atime: bigint, mtime: bigint): void {
    attempt('set the times of', this.path, () => libc().setTimes(terminated(this.#at(ITSELF)), atime, mtime));
  }
  setItsAttribute(attribute: Uint8Array, value: Uint8Array): void {
    attempt('set an attribute of', this.path, () =>
      libc().setAttribute(terminated(this.#at(ITSELF)), terminated(attribute), value),
    );
  }

  /** All that was written to its file system is durable. */
  async syncFileSystem(): Promise<void> {
    try {
      await libc().syncFileSystem(this.#fd);
    } catch (error) {
      throw systemError(`cannot sync ${this.path}`, error);
    }
  }

  /** A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }
  [Symbol.dispose](): void {
    this.close();
  }

  #do<T>(verb: string, name: Uint8Array, action: (path: Buffer) => T): T {
    checkName(name);
    return attempt(verb, this.#shown(name), () => action(this.#at(name)));
  }

  #at(name: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.#fd}/`), name]);
  }

  #shown(name: Uint8Array): string {
    return `${this.path}/${Buffer.from(name).toString()}`;
  }
}

/** One name, not a way: a slash or two dots would lead out of the folder. */
function checkName(name: Uint8Array): void {
  const isDots = name.length <= 2 && name.every((byte) => byte === 0x2e);
  if (!isDots && !name.includes(0x2f) && !name.includes(0)) return;
  throw new CalveError(
    'invalid',
    `expected the name of a file, got ${JSON.stringify(Buffer.from(name).toString())}`,
  );
}

function terminated(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}

function attempt<T>(verb: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw systemError(`cannot ${verb} ${path}`, error);
  }
}
