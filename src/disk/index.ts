/** Owns the Disk interface, the plainest disks and what wraps any disk; imports errors, bytes, host. */
export { checkRange } from './check-range.ts';
export type { Disk, Extent, WritableDisk, ZeroOptions } from './disk.ts';
export { extentsOf } from './extents-of.ts';
export { type LatencyLimits, LatencyWatch } from './latency-watch.ts';
export { MemoryDisk } from './memory-disk.ts';
export { openRawDisk, type RawDiskOptions } from './open-raw-disk.ts';
export { RawDisk } from './raw-disk.ts';
export { writeZeroesTo } from './write-zeroes-to.ts';
