import { CalveError } from '../../errors/index.ts';
import type { Geometry } from '../geometry.ts';
import { type ClusterEntry, emptyEntry, readEntry } from './cluster-entry.ts';
import type { L1Table } from './l1-table.ts';
import type { L2Table } from './l2-table.ts';
import type { L2Tables } from './l2-tables.ts';
import { mapSubclusters } from './map-subclusters.ts';
import { type Mapping, mapInTable } from './mapping.ts';

/** Guest ranges to mappings, through the active L1 and L2 tables. */
export class ClusterMap {
  readonly geometry: Geometry;
  readonly #path: string;
  readonly #l1: L1Table;
  readonly #tables: L2Tables;
  /** Standard L2 entries of clusters in the image file, which most images have. */
  readonly #isPlain: boolean;
  readonly #scratch = emptyEntry();

  /** @param path of the image, for errors */
  constructor(path: string, geometry: Geometry, l1: L1Table, tables: L2Tables) {
    this.#path = path;
    this.geometry = geometry;
    this.#l1 = l1;
    this.#tables = tables;
    this.#isPlain = geometry.subclusters === 1 && !geometry.dataFile;
  }

  /** Where the L2 table lies that maps `offset`; 0 if there is none. */
  tableOffset(offset: number): number {
    return this.#l1.tableOffset(Math.floor(offset / this.geometry.tableCovers));
  }

  /** Maps what starts at `offset`, as far as it is alike. False when the L2 table is not in memory. */
  tryMap(offset: number, length: number, into: Mapping): boolean {
    const index = Math.floor(offset / this.geometry.tableCovers);
    if (this.#l1.tableOffset(index) === 0) {
      this.#mapWithoutTables(index, offset, length, into);
      return true;
    }
    const table = this.#tables.cached(index);
    if (!table) return false;
    this.#mapInTable(table, offset, length, into);
    return true;
  }

  /** As `tryMap`, reading the L2 table where needed. To be used before anything else is awaited. */
  async map(offset: number, length: number, into: Mapping): Promise<void> {
    if (this.tryMap(offset, length, into)) return;
    const table = await this.#tables.load(Math.floor(offset / this.geometry.tableCovers));
    this.#mapInTable(table, offset, length, into);
  }

  /**
   * What an entry of a table says, for whoever is about to change it.
   * @throws CalveError `corrupt` for an entry that no writer makes
   */
  readEntry(table: L2Table, index: number, into: ClusterEntry): void {
    const { tableCovers, clusterSize } = this.geometry;
    try {
      readEntry(table.view, index, this.geometry, table.index * tableCovers + index * clusterSize, into);
    } catch (error) {
      throw this.#located(error);
    }
  }

  #mapInTable(table: L2Table, offset: number, length: number, into: Mapping): void {
    try {
      if (this.#isPlain) mapInTable(table.view, this.geometry, offset, length, into);
      else mapSubclusters(table.view, this.geometry, offset, length, into, this.#scratch);
    } catch (error) {
      throw this.#located(error);
    }
  }

  #located(error: unknown): unknown {
    if (!CalveError.is(error)) return error;
    return new CalveError(error.code, `${this.#path}: ${error.message}`, {
      cause: error,
      hint: `qemu-img check ${this.#path}`,
      data: { ...error.data, path: this.#path },
    });
  }

  /** L1 entries that name no L2 table map nothing: as many in a row as there are. */
  #mapWithoutTables(first: number, offset: number, length: number, into: Mapping): void {
    const { tableCovers } = this.geometry;
    let index = first + 1;
    while (index * tableCovers < offset + length && this.#l1.tableOffset(index) === 0) index += 1;
    into.kind = 'unallocated';
    into.length = Math.min(length, index * tableCovers - offset);
  }
}
