/** Owns what one does to whole disks: copying and comparing; imports errors, bytes, disk. */
export { type CopyOptions, copyDisk } from './copy-disk.ts';
export { type BlockDifference, type DifferenceOptions, differences } from './differences.ts';
export { type Range, rangesAbove, unionOfRanges } from './ranges.ts';
