import { CalveError } from '../../errors/index.ts';
import { BoundedCache, type CacheBudget } from '../bounded-cache.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { L1Table } from './l1-table.ts';
import { L2Table } from './l2-table.ts';

/** The active L2 tables: those used lately in memory, the others read when asked for. There is one object a table. */
export class L2Tables {
  readonly #file: ImageFile;
  readonly #l1: L1Table;
  readonly #clusterSize: number;
  readonly #entryBytes: number;
  readonly #cache: BoundedCache<L2Table>;
  readonly #loading = new Map<number, Promise<L2Table>>();
  readonly #dirty = new Set<L2Table>();
  /** How often the L1 table was replaced. */
  #generation = 0;

  constructor(
    file: ImageFile,
    l1: L1Table,
    { clusterSize, entryBytes }: Pick<Geometry, 'clusterSize' | 'entryBytes'>,
    budget: CacheBudget,
  ) {
    this.#file = file;
    this.#l1 = l1;
    this.#clusterSize = clusterSize;
    this.#entryBytes = entryBytes;
    this.#cache = new BoundedCache(budget, clusterSize);
  }

  /** The table of an L1 entry if it is in memory. */
  cached(index: number): L2Table | undefined {
    return this.#cache.get(index);
  }

  /**
   * The table of an L1 entry that names one. The caller uses or changes it at once, before it awaits anything else.
   * @throws CalveError `corrupt` when the entry cannot be right; `io`
   */
  load(index: number): Promise<L2Table> {
    const cached = this.#cache.get(index);
    if (cached) return Promise.resolve(cached);
    let loading = this.#loading.get(index);
    if (!loading) {
      const started = this.#read(index).finally(() => {
        if (this.#loading.get(index) === started) this.#loading.delete(index);
      });
      this.#loading.set(index, started);
      loading = started;
    }
    return loading;
  }

  /** A table for an L1 entry that named none. */
  create(index: number, offset: number): L2Table {
    const table = this.#table(index, offset, new Uint8Array(this.#clusterSize));
    table.moveTo(offset);
    this.markDirty(table);
    return table;
  }

  /** Keeps a changed table in memory until it is written. To be called with the change, nothing awaited in between. */
  markDirty(table: L2Table): void {
    if (this.#dirty.has(table)) return;
    this.#dirty.add(table);
    this.#cache.pin(table.index, table);
  }

  get dirty(): boolean {
    return this.#dirty.size > 0;
  }

  get dirtyBytes(): number {
    return this.#dirty.size * this.#clusterSize;
  }

  /** Writes what was changed, in the order of the file. */
  async write(check: (table: L2Table) => void): Promise<void> {
    for (const table of [...this.#dirty].sort((a, b) => a.offset - b.offset)) {
      check(table);
      const { at, bytes } = table.dirty.partOf(table.bytes);
      await this.#file.write(bytes, table.offset + at);
      table.dirty.clear();
      this.#dirty.delete(table);
      this.#cache.unpin(table.index);
    }
  }

  /** The L1 table was replaced, or some of its entries cleared. Nothing is dirty. */
  forget(): void {
    this.#generation += 1;
    this.#loading.clear();
    this.#cache.clear();
  }

  async #read(index: number): Promise<L2Table> {
    const generation = this.#generation;
    const offset = this.#l1.tableOffset(index);
    if (offset % this.#clusterSize !== 0) {
      throw new CalveError(
        'corrupt',
        `${this.#file.path}: L1 entry ${index}: expected a multiple of ${this.#clusterSize}, got ${offset}`,
      );
    }
    const what = `the L2 table of L1 entry ${index}`;
    const bytes = await this.#file.readStructure(what, offset, this.#clusterSize);
    if (generation !== this.#generation) return this.#loadAgain(index);
    // The table may have come into memory another way meanwhile, and been changed.
    const cached = this.#cache.get(index);
    if (cached) return cached;
    const table = this.#table(index, offset, bytes);
    this.#cache.set(index, table);
    return table;
  }

  /** For a reader that began before the L1 table was replaced: an entry that names nothing now maps nothing. */
  async #loadAgain(index: number): Promise<L2Table> {
    const named = index < this.#l1.length && this.#l1.tableOffset(index) !== 0;
    return named ? this.load(index) : this.#table(index, 0, new Uint8Array(this.#clusterSize));
  }

  #table(index: number, offset: number, bytes: Uint8Array): L2Table {
    return new L2Table(index, offset, bytes, this.#entryBytes);
  }
}
