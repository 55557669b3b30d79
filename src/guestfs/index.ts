/** Owns what lies inside a disk, partitions and file systems; imports errors, bytes, host, disk, img, nbd. */
export { aclText } from './acl-text.ts';
export { chooseVolume } from './choose-volume.ts';
export {
  type ComparedVolume,
  compareDisks,
  type DiskCompareOptions,
  type DiskDifference,
} from './compare/compare-disks.ts';
export type { ChangedAspect, FileChange, FileFacts } from './compare/file-change.ts';
export { openPathPair, type PathOptions, type PathPair, type PathSide } from './compare/open-path-pair.ts';
export { changesIn, type InwardCopy } from './copy/changes-in.ts';
export { lastName } from './copy/copied-source.ts';
export { copyOut } from './copy/copy-out.ts';
export { type CopyOptions, type CopyReport, emptyReport } from './copy/copy-report.ts';
export { hostDestination } from './copy/host-destination.ts';
export type { FileSystemKind } from './file-system-kind.ts';
export type { DirectoryEntry, ExtendedAttribute, FileExtent, FileTree } from './file-tree.ts';
export { GuestVolume } from './guest-volume.ts';
export type { Inode, InodeType } from './inode.ts';
export { listVolumes } from './list-volumes.ts';
export { type OpenedVolume, openChosenVolume } from './open-chosen-volume.ts';
export type { Partition } from './partitions/partition.ts';
export { printablePath } from './printable-path.ts';
export { type WalkedFile, type WalkOptions, walkTree } from './walk-tree.ts';
export { hasExtFileSystem, writeExtFile } from './write-ext-file.ts';
export type { WriteOptions } from './write-options.ts';
export { writerFor, writeVolume } from './write-volume.ts';
