import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CalveError, errnoOf, systemError } from '../errors/index.ts';
import { statFile } from './file-stat.ts';
import type { HostFile } from './host-file.ts';
import { libc, libcIfAny } from './libc.ts';
import { openFile } from './open-file.ts';

/** linux/fs.h, FS_IMMUTABLE_FL: what `chattr +i` sets. */
const IMMUTABLE = 0x10;

/** ioctl(2) on a file system that has no such flags. */
const NO_FLAGS: readonly (string | undefined)[] = ['ENOTTY', 'ENOTSUP', 'EINVAL', 'ENOSYS'];

/** Whether nobody may write, rename, link or remove a file, root included; false where there is no such flag. */
export function isImmutable(file: HostFile): boolean {
  const library = libcIfAny();
  if (!library) return false;
  try {
    return (library.inodeFlags(file.fd) & IMMUTABLE) !== 0;
  } catch (error) {
    if (NO_FLAGS.includes(errnoOf(error))) return false;
    throw systemError(`cannot read the flags of ${file.path}`, error);
  }
}

/**
 * Sets a file's immutable flag (`chattr +i`) or clears it. The file may be open for reading alone. Changes its ctime.
 * @throws CalveError `denied` for who may not, which takes CAP_LINUX_IMMUTABLE, as root has it; `unsupported` where the
 * file system or the platform has no such flag; `io`
 */
export function setImmutable(file: HostFile, immutable: boolean): void {
  try {
    const library = libc();
    const flags = library.inodeFlags(file.fd);
    library.setInodeFlags(file.fd, immutable ? flags | IMMUTABLE : flags & ~IMMUTABLE);
  } catch (error) {
    const errno = errnoOf(error);
    const said = { cause: error, data: { path: file.path } };
    if (NO_FLAGS.includes(errno)) {
      throw new CalveError('unsupported', `the file system of ${file.path} has no immutable flag`, said);
    }
    if (errno === 'EPERM' || errno === 'EACCES') {
      const what = immutable ? 'make immutable' : 'lift the immutable flag of';
      throw new CalveError(
        'denied',
        `cannot ${what} ${file.path}: only root may (CAP_LINUX_IMMUTABLE)`,
        said,
      );
    }
    throw systemError(`cannot set the flags of ${file.path}`, error);
  }
}

/** Clears the immutable flag of a file, or of every file below a folder, where it is set. Returns whether any was. */
export async function makeMutable(path: string): Promise<boolean> {
  if (statFile(path)?.kind === 'folder') return await makeAllMutable(path);
  await using file = await openFile(path);
  if (!isImmutable(file)) return false;
  setImmutable(file, false);
  return true;
}

async function makeAllMutable(folder: string): Promise<boolean> {
  let any = false;
  for (const entry of await entriesOf(folder)) {
    // Not through symbolic links: what they lead to is elsewhere.
    if (!entry.isFile() && !entry.isDirectory()) continue;
    if (await makeMutable(join(folder, entry.name))) any = true;
  }
  return any;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw systemError(`cannot list ${folder}`, error);
  }
}
