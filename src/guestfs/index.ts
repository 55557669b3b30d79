/** Owns what lies inside a disk, partitions and file systems; imports errors, bytes, disk. */
export { aclText } from './acl-text.ts';
export { chooseVolume } from './choose-volume.ts';
export type { FileSystemKind } from './file-system-kind.ts';
export type { DirectoryEntry, ExtendedAttribute, FileExtent, FileTree } from './file-tree.ts';
export { GuestVolume } from './guest-volume.ts';
export type { Inode, InodeType } from './inode.ts';
export { listVolumes } from './list-volumes.ts';
export type { Partition } from './partitions/partition.ts';
export { printablePath } from './printable-path.ts';
export { type WalkedFile, type WalkOptions, walkTree } from './walk-tree.ts';
export { hasExtFileSystem, writeExtFile } from './write-ext-file.ts';
