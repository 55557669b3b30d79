import type { Disk } from '../../disk/index.ts';
import { RunCache } from '../run-cache.ts';
import { corrupt } from './corrupt.ts';

/** Tables are asked for entry by entry, many of them one after the other: they are read in runs, a cluster of most images. */
const TABLE_RUN = 64 * 1024;
/** Directories lie here and there: a page of each is read. */
const SMALLEST_RUN = 4096;
/** What is kept of tables, and of other metadata, of a disk that it is slow to read from again. */
const KEPT_BYTES = 16 << 20;

/** The blocks of a file system: metadata is kept for a while, content is read as it is asked for. */
export class Blocks {
  readonly blockSize: number;
  readonly count: number;
  readonly #disk: Disk;
  readonly #tables: RunCache;
  readonly #metadata: RunCache;

  /**
   * @param disk the file system, whole; stays open
   * @param keptBytes what is kept of tables, and as much of other metadata (default 16 MiB)
   */
  constructor(disk: Disk, blockSize: number, count: number, keptBytes: number = KEPT_BYTES) {
    this.blockSize = blockSize;
    this.count = count;
    this.#disk = disk;
    this.#tables = new RunCache(disk, { runBytes: TABLE_RUN, bytes: keptBytes });
    this.#metadata = new RunCache(disk, { runBytes: Math.max(blockSize, SMALLEST_RUN), bytes: keptBytes });
  }

  /**
   * A block of metadata, which must not be changed.
   * @param structure what it is, for the error
   */
  async metadata(block: number, structure: string): Promise<Buffer> {
    this.check(block, 1, structure);
    return this.#metadata.bytes(block * this.blockSize, this.blockSize);
  }

  /** An entry of a table, which must not be changed. Its block must have been checked. */
  async tableEntry(offset: number, length: number): Promise<Buffer> {
    return this.#tables.bytes(offset, length);
  }

  /** Fills `into` with content. The range must have been checked. */
  async content(into: Uint8Array, offset: number): Promise<void> {
    if (this.#disk.tryRead?.(into, offset) !== true) await this.#disk.read(into, offset);
  }

  /** @throws CalveError `corrupt` when a run of blocks does not lie in the file system */
  check(first: number, count: number, structure: string): void {
    if (first >= 0 && first + count <= this.count) return;
    throw corrupt(
      structure,
      `expected blocks below ${this.count}, got ${count === 1 ? `block ${first}` : `${count} blocks at ${first}`}`,
    );
  }

  close(): void {
    this.#tables.clear();
    this.#metadata.clear();
  }
}
