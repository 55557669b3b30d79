import { isTimeForOthers, letOthersRun } from '../check/take-turns.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import { RefcountBlock } from '../writing/refcount-block.ts';
import type { RefcountTable } from '../writing/refcount-table.ts';

/** Refcounts as they are on disk, for who reads all of them in order: one block in memory at a time. */
export class StoredRefcounts {
  readonly geometry: Geometry;
  readonly table: RefcountTable;
  readonly #file: ImageFile;
  #last: RefcountBlock | undefined;

  constructor(file: ImageFile, geometry: Geometry, table: RefcountTable) {
    this.#file = file;
    this.geometry = geometry;
    this.table = table;
  }

  /** Numbers of the blocks that there are. */
  *indices(): Generator<number> {
    for (let index = 0; index < this.table.capacity; index += 1) {
      if (this.table.blockOffset(index) !== 0) yield index;
    }
  }

  /** A block; undefined where there is none, and every refcount is 0. */
  async block(index: number): Promise<RefcountBlock | undefined> {
    if (this.#last?.index === index) return this.#last;
    const offset = this.table.blockOffset(index);
    if (offset === 0) return undefined;
    if (isTimeForOthers()) await letOthersRun();
    const { clusterSize, refcountBits } = this.geometry;
    const bytes = await this.#file.readStructure(`refcount block ${index}`, offset, clusterSize);
    this.#last = new RefcountBlock(index, offset, bytes, refcountBits);
    return this.#last;
  }
}
