import { checkRange, type Disk, type Extent, type WritableDisk, type ZeroOptions } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { chainExtents, ownExtents } from './disk-extents.ts';
import type { ImageFile } from './image-file.ts';
import type { ImageHeader } from './image-header.ts';
import type { ClusterMap } from './mapping/cluster-map.ts';
import type { ClusterReader } from './mapping/cluster-reader.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import { resizeImage } from './resizing/resize-image.ts';
import type { ResizeOptions } from './resizing/resize-options.ts';
import type { ImageWriter } from './writing/image-writer.ts';

/** What a disk is made of. */
export interface Qcow2DiskParts {
  readonly file: ImageFile;
  readonly header: ImageHeader;
  readonly map: ClusterMap;
  readonly reader: ClusterReader;
  /** Undefined when the image was opened for reading. */
  readonly writer: ImageWriter | undefined;
  readonly backing: Disk | null;
  readonly warnings: readonly string[];
  /** Gives back what was taken at opening: caches, locks, the file. */
  readonly release: () => Promise<void>;
}

/** A qcow2 image as a disk, with its backing chain under it. Made by `openQcow2`. */
export class Qcow2Disk implements WritableDisk {
  /** What the image is based on; closed with it. */
  readonly backing: Disk | null;
  readonly writable: boolean;
  /** What whoever reads the image should hear about it. */
  readonly warnings: readonly string[];
  readonly #parts: Qcow2DiskParts;
  #closing: Promise<void> | undefined;

  constructor(parts: Qcow2DiskParts) {
    this.#parts = parts;
    this.backing = parts.backing;
    this.writable = parts.writer !== undefined;
    this.warnings = parts.warnings;
  }

  get size(): number {
    return this.#parts.map.geometry.size;
  }

  /** As it is in the file now. */
  get header(): Qcow2Header {
    return this.#parts.header.current;
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

  /** The extents of the whole chain; `depth` counts from this image, 0, downwards. */
  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    this.#checkOpen();
    checkRange(this, offset, length);
    yield* chainExtents(this.#parts.map, this.backing, offset, length);
  }

  /**
   * The extents of this image alone, at depth 0: `unallocated` is what its backing file decides. Costs nothing for the
   * chain below.
   */
  async *ownExtents(offset: number, length: number): AsyncGenerator<Extent> {
    this.#checkOpen();
    checkRange(this, offset, length);
    yield* ownExtents(this.#parts.map, offset, length);
  }

  write(from: Uint8Array, offset: number): Promise<void> {
    return this.#change((writer) => {
      checkRange(this, offset, from.length);
      return writer.write(from, offset);
    });
  }

  flush(): Promise<void> {
    return this.#change((writer) => writer.flush());
  }

  writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    return this.#change((writer) => {
      checkRange(this, offset, length);
      return writer.writeZeroes(offset, length, options.unmap === false ? 'kept' : 'punched');
    });
  }

  /** Whole clusters read zeros afterwards and give their storage back; in version 2 over a backing file nothing changes. */
  discard(offset: number, length: number): Promise<void> {
    return this.#change((writer) => {
      checkRange(this, offset, length);
      return writer.discard(offset, length);
    });
  }

  /**
   * Changes the disk's size, to bytes, a multiple of 512, and makes that durable. Growth reads zeros, whatever a longer
   * backing file holds there. Changes under way end first, and later ones wait; reads go on. Internal snapshots keep
   * their size. After an error growth has left the old size; a shrink may have made the disk smaller.
   * @throws CalveError `out-of-range`, `usage`; `denied` for a smaller size without `shrink`, and for growth over a backing
   *   file that was left aside at opening; `unsupported`, with `data.feature`, for an image with bitmaps, and for
   *   snapshots in version 2; `corrupt`, `no-space`, `io`, `aborted`
   */
  async resize(size: number, options: ResizeOptions = {}): Promise<void> {
    const writer = this.#toWrite();
    await writer.gate.exclusive(() => resizeImage(writer, this.backing, size, options));
  }

  /** Ends what is under way, flushes, and releases everything, also when flushing fails; then it throws that error. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#parts.writer?.finish();
    } finally {
      await this.#parts.release();
    }
  }

  /** A change under way is waited for by `close`. */
  async #change(change: (writer: ImageWriter) => Promise<void>): Promise<void> {
    const writer = this.#toWrite();
    await writer.gate.shared(() => change(writer));
  }

  #toWrite(): ImageWriter {
    this.#checkOpen();
    const { writer, file } = this.#parts;
    if (!writer) throw new CalveError('denied', `${file.path} was opened for reading`);
    file.checkWritable();
    return writer;
  }

  #checkOpen(): void {
    if (this.#closing) throw new CalveError('closed', `${this.#parts.file.path} was closed before`);
  }
}
