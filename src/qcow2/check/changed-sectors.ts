import type { ImageFile } from '../image-file.ts';

const SECTOR = 512;

/** The parts of a structure in memory that are not yet on disk as they are: whole sectors, as a disk writes them. */
export class ChangedSectors {
  readonly #sectors = new Set<number>();

  get size(): number {
    return this.#sectors.size;
  }

  /** Notes a change of 16 bytes at most, which lie in one sector. */
  add(at: number): void {
    this.#sectors.add(Math.floor(at / SECTOR));
  }

  /** Writes what was noted, neighbours together, and forgets it. */
  async write(file: ImageFile, bytes: Uint8Array, offset: number): Promise<void> {
    const sectors = [...this.#sectors].sort((a, b) => a - b);
    this.#sectors.clear();
    for (let first = 0; first < sectors.length; ) {
      let last = first;
      while (sectors[last + 1] === (sectors[last] ?? 0) + 1) last += 1;
      const start = (sectors[first] ?? 0) * SECTOR;
      const end = Math.min(bytes.length, ((sectors[last] ?? 0) + 1) * SECTOR);
      await file.write(bytes.subarray(start, end), offset + start);
      first = last + 1;
    }
  }
}
