/** Clusters that are skipped together when nothing refers to them. Windows begin at a multiple of it. */
const STRETCH_BITS = 12;
export const STRETCH: number = 1 << STRETCH_BITS;
/** What a cluster of a window costs in memory. */
export const BYTES_A_CLUSTER = 6.25;

const MOST = 0xffff_ffff;

/**
 * How often each host cluster of a window is referred to, and as what. The arrays are zeros that the operating system
 * provides on first touch, so that a window over a hole costs nothing.
 */
export class ReferenceCounts {
  /** First cluster of the window. */
  readonly first: number;
  /** The cluster behind the window. */
  readonly end: number;
  readonly #counts: Uint32Array;
  readonly #bits: Uint16Array;
  readonly #touched: Uint8Array;

  constructor(first: number, end: number) {
    this.first = first;
    this.end = end;
    this.#counts = new Uint32Array(end - first);
    this.#bits = new Uint16Array(end - first);
    this.#touched = new Uint8Array(Math.ceil((end - first) / STRETCH));
  }

  /**
   * Counts references. What is beyond counting stays at the most; a cluster outside the window is not counted.
   * @param bits what the cluster is referred to as; see structure.ts
   */
  add(cluster: number, bits: number, times: number): void {
    if (cluster < this.first || cluster >= this.end) return;
    const at = cluster - this.first;
    const sum = (this.#counts[at] ?? 0) + times;
    this.#counts[at] = sum > MOST ? MOST : sum;
    this.#bits[at] = (this.#bits[at] ?? 0) | bits;
    this.#touched[at >>> STRETCH_BITS] = 1;
  }

  /** How many references there are to a cluster; 0 outside the window. */
  count(cluster: number): number {
    return this.#counts[cluster - this.first] ?? 0;
  }

  /** What a cluster is referred to as; 0 outside the window. */
  bits(cluster: number): number {
    return this.#bits[cluster - this.first] ?? 0;
  }

  /** Whether there may be references to the clusters from `cluster` to the end of its stretch. */
  isTouched(cluster: number): boolean {
    return this.#touched[(cluster - this.first) >>> STRETCH_BITS] === 1;
  }

  /** The cluster behind the stretch that `cluster` is in. */
  stretchEnd(cluster: number): number {
    return this.first + (((cluster - this.first) >>> STRETCH_BITS) + 1) * STRETCH;
  }
}
