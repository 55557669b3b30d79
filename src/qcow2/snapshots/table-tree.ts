import { CacheBudget } from '../bounded-cache.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { L1Table } from '../mapping/l1-table.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { L2Tables } from '../mapping/l2-tables.ts';
import type { ImageMetadata } from '../writing/metadata-commit.ts';

/** An L1 table and what it leads to. */
export interface TableTree {
  /** It is, or was until just now, the disk's own; else a snapshot's. */
  readonly own: boolean;
  readonly l1: L1Table;
  readonly l2: L2Tables;
}

/** L2 tables are looked at one after the other. */
const TABLE_BYTES = 1024 ** 2;

/** The tables that the disk is read and written through. */
export function activeTree({ l1, l2 }: ImageMetadata): TableTree {
  return { own: true, l1, l2 };
}

/** Tables as they lie in the file, from an L1 table on. */
export function storedTree(file: ImageFile, geometry: Geometry, l1: L1Table, own: boolean): TableTree {
  return { own, l1, l2: new L2Tables(file, l1, geometry, new CacheBudget(TABLE_BYTES)) };
}

/** The L2 tables of a tree, in the order of its L1 table: also of what lies above the disk, a VM's state. */
export async function* l2TablesOf({ l1, l2 }: TableTree): AsyncGenerator<L2Table> {
  for (let index = 0; index < l1.length; index += 1) {
    if (l1.tableOffset(index) !== 0) yield await l2.load(index);
  }
}
