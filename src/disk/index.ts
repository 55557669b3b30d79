/** Owns the Disk interface, the plainest disks and what wraps any disk; imports errors, bytes, host. */
export type { Disk, Extent, WritableDisk, ZeroOptions } from './disk.ts';
