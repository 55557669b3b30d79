import { type Disk, isWritable, type WritableDisk } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';

/** The disk of a node that was opened to be written. */
export function writableDisk(disk: Disk): WritableDisk {
  if (isWritable(disk)) return disk;
  throw new CalveError('denied', 'the image was opened for reading');
}
