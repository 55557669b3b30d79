import type { Disk, WritableDisk } from './disk.ts';

/** Whether a disk has the members that writing takes. One that was opened for reading may have them, and refuse. */
export function isWritable(disk: Disk): disk is WritableDisk {
  return 'write' in disk && 'flush' in disk;
}
