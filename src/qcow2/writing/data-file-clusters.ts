import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { entryOffset } from '../table-entry.ts';
import type { GuestClusters, TakenClusters } from './guest-clusters.ts';

/**
 * Guest clusters in a data file: each has its place there for good, where the guest has it, and nothing is counted
 * (trap 22). A place can get new data while its storage was about to be given back; then it is not.
 */
export class DataFileClusters implements GuestClusters {
  readonly #dataFile: ImageFile;
  readonly #imageFile: ImageFile;
  readonly #clusterSize: number;
  /** Places in the data file, by their offset, that no table in memory names any more. */
  readonly #unused = new Set<number>();

  /** @param imageFile counts the reads and writes that looked up old places */
  constructor(dataFile: ImageFile, imageFile: ImageFile, { clusterSize }: Geometry) {
    this.#dataFile = dataFile;
    this.#imageFile = imageFile;
    this.#clusterSize = clusterSize;
  }

  async take(guest: number, atMost: number): Promise<TakenClusters> {
    for (let at = 0; at < atMost; at += 1) this.#unused.delete(guest + at * this.#clusterSize);
    return { host: guest, count: atMost, fresh: false };
  }

  /** The place stays the guest's, though no entry names it. */
  async giveBack(): Promise<void> {}

  /** Entries that name another place than the guest's were refused when they were read; there is nothing else here. */
  check(): void {}

  release(table: L2Table, entry: number, storage: 'kept' | 'punched'): void {
    if (storage === 'punched') this.#unused.add(entryOffset(table.high(entry), table.low(entry)));
  }

  get waiting(): number {
    return this.#unused.size;
  }

  async resize(size: number): Promise<void> {
    await this.#dataFile.growTo(size);
    await this.#dataFile.cutTo(size);
    await this.#dataFile.barrier();
  }

  barrier(): Promise<void> {
    return this.#dataFile.barrier();
  }

  async settle(): Promise<void> {
    if (this.waiting === 0) return;
    await this.#imageFile.inFlight.drained();
    for (const { offset, length } of this.#runs()) this.#dataFile.punchHole(offset, length);
    this.#unused.clear();
  }

  *#runs(): Generator<{ offset: number; length: number }> {
    let run: { offset: number; length: number } | undefined;
    for (const offset of Float64Array.from(this.#unused).sort()) {
      if (run && run.offset + run.length === offset) {
        run.length += this.#clusterSize;
        continue;
      }
      if (run) yield run;
      run = { offset, length: this.#clusterSize };
    }
    if (run) yield run;
  }
}
