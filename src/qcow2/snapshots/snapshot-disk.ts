import { checkRange, type Disk, type Extent } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { chainExtents } from '../disk-extents.ts';
import type { ClusterMap } from '../mapping/cluster-map.ts';
import type { ClusterReader } from '../mapping/cluster-reader.ts';

/** What a view of a snapshot is made of. */
export interface SnapshotDiskParts {
  /** What it is, for errors. */
  readonly what: string;
  readonly map: ClusterMap;
  readonly reader: ClusterReader;
  readonly backing: Disk | null;
  /** Called once. */
  readonly release: () => void;
}

/** A snapshot's contents, for reading. It shares its image's file, and ends with it. */
export class SnapshotDisk implements Disk {
  readonly #parts: SnapshotDiskParts;
  #closed = false;

  constructor(parts: SnapshotDiskParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#parts.map.geometry.size;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    this.#checkOpen();
    checkRange(this, offset, into.length);
    await this.#parts.reader.read(into, offset);
  }

  tryRead(into: Uint8Array, offset: number): boolean {
    this.#checkOpen();
    checkRange(this, offset, into.length);
    return this.#parts.reader.tryRead(into, offset);
  }

  /** The extents of the whole chain; `depth` counts from the image, 0, downwards. */
  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    this.#checkOpen();
    checkRange(this, offset, length);
    for await (const extent of chainExtents(this.#parts.map, this.#parts.backing, offset, length)) {
      // Once it is closed its tables may be gone.
      this.#checkOpen();
      yield extent;
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #checkOpen(): void {
    if (this.#closed) throw new CalveError('closed', `${this.#parts.what} was closed before`);
  }
}
