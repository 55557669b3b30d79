/** One bit for each cluster of a range. */
export class ClusterBits {
  readonly #first: number;
  readonly #end: number;
  readonly #bits: Uint8Array;

  constructor(first: number, end: number) {
    this.#first = first;
    this.#end = end;
    this.#bits = new Uint8Array(Math.ceil((end - first) / 8));
  }

  /** Whether a cluster is of the range. */
  covers(cluster: number): boolean {
    return cluster >= this.#first && cluster < this.#end;
  }

  /** Sets the bit of a cluster of the range. */
  set(cluster: number): void {
    const at = cluster - this.#first;
    this.#bits[at >>> 3] = (this.#bits[at >>> 3] ?? 0) | (1 << (at & 7));
  }

  /** Whether the bit is set; false outside the range. */
  has(cluster: number): boolean {
    if (!this.covers(cluster)) return false;
    const at = cluster - this.#first;
    return ((this.#bits[at >>> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }
}
