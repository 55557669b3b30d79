/** Tallies the clusters of the active disk, in QEMU's way: whether each follows the one before in its table. */
export class FragmentCounts {
  allocated = 0;
  fragmented = 0;
  compressed = 0;
  #times = 0;
  #next = 0;

  /** @param times how often the table that comes now is part of the active disk, 0 for not at all */
  beginTable(times: number): void {
    this.#times = times;
    this.#next = 0;
  }

  /** @param place where it lies in the file, counted in clusters; a fraction of one that is not aligned */
  addCluster(place: number): void {
    this.allocated += this.#times;
    if (this.#next !== 0 && place !== this.#next) this.fragmented += this.#times;
    this.#next = place + 1;
  }

  /** Compressed data, which fills no cluster and so counts as fragmented wherever it lies. */
  addCompressed(): void {
    this.allocated += this.#times;
    this.compressed += this.#times;
    this.fragmented += this.#times;
  }
}
