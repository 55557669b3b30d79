import type { L1Table } from '../mapping/l1-table.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import type { L2Tables } from '../mapping/l2-tables.ts';
import type { Allocator } from './allocator.ts';
import type { FreeOptions, PendingFrees } from './pending-frees.ts';

const SHARED_TABLE: FreeOptions = { flagged: true, punch: false };

/** L2 tables that may be changed: made where there was none, copied where a snapshot has a part in them. */
export class WritableTables {
  readonly #l1: L1Table;
  readonly #l2: L2Tables;
  readonly #clusterSize: number;
  readonly #allocator: Allocator;
  readonly #frees: PendingFrees;

  constructor(l1: L1Table, l2: L2Tables, clusterSize: number, allocator: Allocator, frees: PendingFrees) {
    this.#l1 = l1;
    this.#l2 = l2;
    this.#clusterSize = clusterSize;
    this.#allocator = allocator;
    this.#frees = frees;
  }

  /** The table of an L1 entry if it names one, to be looked at. */
  async existing(index: number): Promise<L2Table | undefined> {
    return this.#l1.tableOffset(index) === 0 ? undefined : this.#l2.load(index);
  }

  /** The table of an L1 entry, to be changed and marked dirty before anything else is awaited. */
  async forWriting(index: number): Promise<L2Table> {
    if (this.#l1.tableOffset(index) === 0) {
      const { offset } = await this.#allocator.takeFor('L2 table', 1);
      this.#l1.set(index, offset);
      return this.#l2.create(index, offset);
    }
    const table = await this.#l2.load(index);
    if (this.#l1.isCopied(index)) return table;
    const { offset } = await this.#allocator.takeFor('L2 table', 1);
    this.#frees.add(table.offset, this.#clusterSize, SHARED_TABLE);
    table.moveTo(offset);
    this.#l2.markDirty(table);
    this.#l1.set(index, offset);
    return table;
  }

  markDirty(table: L2Table): void {
    this.#l2.markDirty(table);
  }
}
