import type { ClusterRun } from './cluster-runs.ts';

/** Counts the clusters of runs that pass, for a layer that may end before they do. */
export class RunTally {
  #passed = 0;
  /** Runs that a layer may still be cut in, in order. */
  #recent: ClusterRun[] = [];

  async *watch(runs: AsyncIterable<ClusterRun>): AsyncGenerator<ClusterRun> {
    for await (const run of runs) {
      this.#passed += run.count;
      this.#recent.push(run);
      yield run;
    }
  }

  /** The layer has got as far as this guest cluster, and ends no earlier: keeps memory bounded. */
  reached(guest: number): void {
    const first = this.#recent.findIndex((run) => run.first + run.count > guest);
    this.#recent = first < 0 ? [] : this.#recent.slice(first);
  }

  /** Clusters of the runs ahead of a guest cluster, which lies no earlier than what was `reached`. */
  ahead(guest: number): number {
    const past = this.#recent.reduce(
      (sum, run) => sum + Math.max(0, run.first + run.count - Math.max(run.first, guest)),
      0,
    );
    return this.#passed - past;
  }
}
