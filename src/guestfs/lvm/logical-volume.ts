import type { DiskRange } from '../file-tree.ts';

/** A volume that LVM makes of parts of its physical volumes. */
export interface LogicalVolume {
  /** `GROUP/NAME`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Where it lies on the whole disk, in order; in words why that cannot be told. */
  readonly ranges: readonly DiskRange[] | string;
}
