import { corrupt } from './corrupt.ts';
import type { FatTable } from './fat-table.ts';

/** Clusters of a chain that lie one behind the other. */
export interface ClusterRun {
  /** Its first one, counted from the start of the chain. */
  readonly first: number;
  readonly cluster: number;
  /** At least 1. */
  readonly count: number;
}

/** A way along a chain of clusters, which can be left and gone on with later. */
export class ClusterWalk {
  readonly #table: FatTable;
  readonly #where: string;
  #index = 0;
  #cluster: number;
  // Brent's search for cycles: the cluster where we were after 1, 2, 4, … steps must not be met again.
  #met: number;
  #steps = 0;
  #most = 1;

  /**
   * @param where whose chain it is, for errors
   * @throws CalveError `corrupt` when there is no such cluster
   */
  constructor(table: FatTable, first: number, where: string) {
    table.check(first, where);
    this.#table = table;
    this.#where = where;
    this.#cluster = first;
    this.#met = first;
  }

  /** Which cluster of the chain we are at, from 0 on. */
  get index(): number {
    return this.#index;
  }

  /** The cluster that we are at. */
  get cluster(): number {
    return this.#cluster;
  }

  /**
   * The run that begins where we are, ending with `most` clusters or before a jump. We are at its last one then.
   */
  async run(most: number): Promise<ClusterRun> {
    const first = this.#index;
    const cluster = this.#cluster;
    for (let count = 1; ; count += 1) {
      if (count === most) return { first, cluster, count };
      const next =
        this.#table.nextNow(this.#cluster, this.#where) ??
        (await this.#table.next(this.#cluster, this.#where));
      if (next !== this.#cluster + 1) return { first, cluster, count };
      this.#step(next);
    }
  }

  /** Goes on by one cluster; false: there is none. */
  async advance(): Promise<boolean> {
    const next =
      this.#table.nextNow(this.#cluster, this.#where) ?? (await this.#table.next(this.#cluster, this.#where));
    if (next === null) return false;
    this.#step(next);
    return true;
  }

  #step(next: number): void {
    this.#index += 1;
    this.#cluster = next;
    if (next === this.#met) throw corrupt(this.#where, `its chain of clusters runs in a circle at ${next}`);
    this.#steps += 1;
    if (this.#steps < this.#most) return;
    this.#met = next;
    this.#most *= 2;
    this.#steps = 0;
  }
}
