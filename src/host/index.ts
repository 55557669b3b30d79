/** Owns all dealings with the operating system's files, and koffi, with what only it reaches; imports errors. */
export type { CopyOptions } from './copy-range.ts';
export { fileAttributes } from './file-attributes.ts';
export { lock, tryLock, unlock } from './file-lock.ts';
export { type FileStat, statFile } from './file-stat.ts';
export { HostFile } from './host-file.ts';
export { HostFolder } from './host-folder.ts';
export { type ImageAccess, type ImageLock, lockImage } from './image-lock.ts';
export { imageLockHolders, type LockHolder, lockHoldersOfAll } from './image-lock-holders.ts';
export { isImmutable, makeMutable, setImmutable } from './immutable.ts';
export { type Libzstd, libzstdIfAny } from './libzstd.ts';
export { makeFolder } from './make-folder.ts';
export { type OpenOptions, openFile } from './open-file.ts';
export { QuickSocket } from './quick-socket.ts';
export { renameDurably } from './rename-durably.ts';
export { openScratchFile } from './scratch-file.ts';
export type { FileExtent } from './sparse.ts';
export { syncFolder } from './sync-folder.ts';
export { type WriteOptions, writeFileDurably } from './write-file-durably.ts';
