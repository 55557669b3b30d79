/** Disks write no less than this at once. */
const SECTOR = 512;

/** The part of a structure in memory that differs from what is on disk: one range that holds every change. */
export class DirtyRange {
  #from = Number.POSITIVE_INFINITY;
  #to = 0;

  /** Bytes `from` to `to` are changed. */
  add(from: number, to: number): void {
    this.#from = Math.min(this.#from, from);
    this.#to = Math.max(this.#to, to);
  }

  /** What to write of the structure, in whole sectors, and where in it that begins. */
  partOf(structure: Uint8Array): { at: number; bytes: Uint8Array } {
    const at = Math.floor(this.#from / SECTOR) * SECTOR;
    return { at, bytes: structure.subarray(at, Math.ceil(this.#to / SECTOR) * SECTOR) };
  }

  /** Everything is on disk. */
  clear(): void {
    this.#from = Number.POSITIVE_INFINITY;
    this.#to = 0;
  }
}
