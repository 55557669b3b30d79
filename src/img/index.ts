/** Owns what one does to whole disks: copying, comparing, telling formats; imports errors, bytes, host, disk. */
export { copyDifference } from './copy-difference.ts';
export { type CopyOptions, copyDisk } from './copy-disk.ts';
export { type BlockDifference, type DifferenceOptions, differences } from './differences.ts';
export { type ForeignFormat, isQcow2, type NativeFormat, probeFormat } from './image-format.ts';
export { type Range, rangesAbove, unionOfRanges } from './ranges.ts';
