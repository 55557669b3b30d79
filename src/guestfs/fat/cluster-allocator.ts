import { CalveError } from '../../errors/index.ts';
import { FIRST_CLUSTER } from './boot-sector.ts';
import { ClusterWalk } from './cluster-walk.ts';
import type { FatTable } from './fat-table.ts';

/** Gives out free clusters, in the order in which they lie, from where the last one was given out. */
export class ClusterAllocator {
  readonly #table: FatTable;
  readonly #end: number;
  /** Where the next search begins. */
  #next: number;
  /** How many are free; undefined until all were counted. */
  #free: number | undefined;
  #taken = 0;

  /** @param hint where a free cluster may be */
  constructor(table: FatTable, hint: number) {
    this.#table = table;
    this.#end = table.layout.clusters + FIRST_CLUSTER;
    this.#next = hint >= FIRST_CLUSTER && hint < this.#end ? hint : FIRST_CLUSTER;
  }

  /** Where the next search begins. */
  get next(): number {
    return this.#next;
  }

  /** Clusters that were taken, less those given back. */
  get taken(): number {
    return this.#taken;
  }

  /** @throws CalveError `no-space` when fewer are free */
  async require(count: number, what: string): Promise<void> {
    if (this.#free === undefined) {
      let found = 0;
      const { clusters } = this.#table.layout;
      for (let seen = 0, at = this.#next; seen < clusters && found < count; seen += 1) {
        if ((this.#table.entryNow(at) ?? (await this.#table.entry(at))) === 0) found += 1;
        at = at + 1 === this.#end ? FIRST_CLUSTER : at + 1;
      }
      if (found >= count) return;
      this.#free = found;
    }
    if (this.#free >= count) return;
    const { clusterSize } = this.#table.layout;
    throw new CalveError(
      'no-space',
      `${what}: the FAT file system is full: expected ${count * clusterSize} free bytes, got ${this.#free * clusterSize}`,
      { data: { needed: count * clusterSize, free: this.#free * clusterSize } },
    );
  }

  /**
   * Takes clusters and makes a chain of them, in memory.
   * @param after the last cluster of the chain that they continue
   * @returns the first one
   * @throws CalveError `no-space`
   */
  async chain(count: number, what: string, after?: number): Promise<number> {
    await this.require(count, what);
    let first: number | undefined;
    let last = after;
    for (let left = count; left > 0; left -= 1) {
      const cluster = await this.#find();
      await this.#set(cluster, null);
      if (last !== undefined) await this.#set(last, cluster);
      first ??= cluster;
      last = cluster;
      this.#next = cluster + 1 === this.#end ? FIRST_CLUSTER : cluster + 1;
      this.#taken += 1;
      if (this.#free !== undefined) this.#free -= 1;
    }
    return first ?? 0;
  }

  /** Gives a whole chain back, in memory. @throws CalveError `corrupt` */
  async free(cluster: number, where: string): Promise<void> {
    const walk = new ClusterWalk(this.#table, cluster, where);
    // The walk is a step ahead of what is given back: a free cluster leads nowhere.
    for (let here: number | null = cluster; here !== null; ) {
      const given: number = here;
      here = (await walk.advance()) ? walk.cluster : null;
      await this.#set(given, 0);
      this.#taken -= 1;
      if (this.#free !== undefined) this.#free += 1;
    }
  }

  async #find(): Promise<number> {
    for (let at = this.#next; ; ) {
      if ((this.#table.entryNow(at) ?? (await this.#table.entry(at))) === 0) return at;
      at = at + 1 === this.#end ? FIRST_CLUSTER : at + 1;
      if (at === this.#next) throw new CalveError('no-space', 'the FAT file system is full');
    }
  }

  /** Without waiting where that can be: files have millions of clusters. */
  #set(cluster: number, next: number | null): Promise<void> | undefined {
    return this.#table.setNow(cluster, next) ? undefined : this.#table.set(cluster, next);
  }
}
