import { basename } from 'node:path';
import { type Disk, type Extent, sliceDisk } from '../disk/index.ts';

/** A disk image that is to be imported, every file of it under QEMU's lock for reading until it is disposed of. */
export interface ImportSource extends AsyncDisposable {
  /** What becomes a version each, the oldest first; never empty. The last one is the image as it is now. */
  readonly states: readonly ImportState[];
  /** What it has and a version has not, a sentence each. */
  readonly warnings: readonly string[];
}

/** A disk as it is, or once was, in an image that is to be imported. */
export interface ImportState {
  /** Bytes of the disk. */
  readonly size: number;
  /** The name of the file that holds it. */
  readonly from: string;
  /** When it came to be this, as a snapshot tells. RFC 3339, UTC. */
  readonly created?: string;
  readonly message?: string;
  /** Its disk, to be closed before the source is. */
  open(): Promise<Disk>;
  /** Where its disk may differ from the state before it; of the first state, all of it. */
  ranges(disk: Disk): AsyncIterable<Extent>;
}

/** What an image's disk is now. */
export function currentState(path: string, disk: Disk, ranges: ImportState['ranges']): ImportState {
  const { size } = disk;
  // Others may stand on the disk: it ends with its source.
  const open = async () => sliceDisk<Disk>(disk, 0, size, { leaveOpen: true });
  return { from: basename(path), size, ranges, open };
}
