/** Owns what one does to whole disks: making, copying, comparing, telling formats; imports errors, bytes, host, disk, qcow2. */
export { type CommitDiskOptions, commitDisk } from './commit-disk.ts';
export { copyDifference } from './copy-difference.ts';
export { type CopyOptions, copyDisk } from './copy-disk.ts';
export { type CreateRawOptions, createRaw } from './create-raw.ts';
export { type BlockDifference, type DifferenceOptions, differences } from './differences.ts';
export { type FindDifferenceOptions, findDifference } from './find-difference.ts';
export { type ForeignFormat, isQcow2, type NativeFormat, probeFormat } from './image-format.ts';
export { type Range, rangesAbove, unionOfRanges } from './ranges.ts';
export { type RebaseOptions, rebaseDisk } from './rebase-disk.ts';
