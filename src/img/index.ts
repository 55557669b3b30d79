/** Owns what one does to whole disks: copying and comparing; imports errors, bytes, disk. */
export { copyDifference } from './copy-difference.ts';
export { type CopyOptions, copyDisk } from './copy-disk.ts';
export { type BlockDifference, type DifferenceOptions, differences } from './differences.ts';
export { type Range, rangesAbove, unionOfRanges } from './ranges.ts';
