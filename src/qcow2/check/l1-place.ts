import type { TablePlace } from './table-segments.ts';

/** One of the image's L1 tables, where it lies and whose it is. */
export interface L1Place extends TablePlace {
  /** Position of its snapshot in the snapshot table; undefined of the active table. */
  readonly snapshot: number | undefined;
}
