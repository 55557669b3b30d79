import { fchmodSync, fchownSync } from 'node:fs';
import { CalveError, errnoOf, systemError } from '../../errors/index.ts';
import type { HostFile, HostFolder } from '../../host/index.ts';
import { ACLS, aclAttribute } from '../acl-attribute.ts';
import type { ExtendedAttribute } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { isCopiedAttribute } from './copied-attribute.ts';

/** setuid and setgid: they would give what is copied the rights of whoever copies. */
const SET_IDS = 0o6000;

/** Whether owners can be given: only root can give files away. */
function canGive(): boolean {
  return process.geteuid?.() === 0;
}

/** What a mode becomes in a copy: as with `cp -p`, without setuid and setgid where the owner is not copied. */
function copiedMode(mode: number): number {
  return canGive() ? mode : mode & ~SET_IDS;
}

/**
 * Gives a file that was copied its owner, mode, attributes and times, in this order: each would undo one that follows.
 * @returns how many attributes the host's file system did not take
 */
export function attributeFile(
  folder: HostFolder,
  name: Buffer,
  file: HostFile,
  inode: Inode,
  attributes: readonly ExtendedAttribute[],
): number {
  try {
    if (canGive()) fchownSync(file.fd, inode.uid, inode.gid);
    fchmodSync(file.fd, copiedMode(inode.mode));
  } catch (error) {
    throw systemError(`cannot set the owner and mode of ${file.path}`, error);
  }
  const lost = setAll(attributes, (attribute, value) => folder.setAttribute(name, attribute, value));
  folder.setTimes(name, inode.atime, inode.mtime);
  return lost;
}

/** As `attributeFile`, of a folder; when all is in it, for each change in it changes its times. */
export function attributeFolder(
  folder: HostFolder,
  inode: Inode,
  attributes: readonly ExtendedAttribute[],
): number {
  if (canGive()) folder.setItsOwner(inode.uid, inode.gid);
  folder.setMode(copiedMode(inode.mode));
  const lost = setAll(attributes, (attribute, value) => folder.setItsAttribute(attribute, value));
  folder.setItsTimes(inode.atime, inode.mtime);
  return lost;
}

/** As `attributeFile`, of a symlink, which has no mode. */
export function attributeSymlink(folder: HostFolder, name: Buffer, inode: Inode): void {
  if (canGive()) folder.setOwner(name, inode.uid, inode.gid);
  folder.setTimes(name, inode.atime, inode.mtime);
}

/** Sets those that mean the same elsewhere. */
function setAll(
  attributes: readonly ExtendedAttribute[],
  set: (attribute: Buffer, value: Buffer) => void,
): number {
  let lost = 0;
  for (const { name, value: stored } of attributes) {
    const word = name.toString('latin1');
    if (!isCopiedAttribute(word)) continue;
    const value = ACLS.includes(word) ? aclAttribute(stored) : stored;
    if (value === undefined) lost += 1;
    else if (!isTaken(() => set(name, value))) lost += 1;
  }
  return lost;
}

/** What a file system says that does not keep an attribute, or not one so large. */
const NOT_TAKEN = [
  'ENOTSUP',
  'EOPNOTSUPP',
  'EPERM',
  'EACCES',
  'ENOSPC',
  'E2BIG',
  'ERANGE',
  'EINVAL',
  'ENODATA',
];

function isTaken(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof CalveError && NOT_TAKEN.includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
