// One file, though long: what an image can do is one object for those who use it. Each member checks that the disk is open and
// hands on to the folder that does the work; most lines say what it takes, returns and throws.
import { checkRange, type Disk, type Extent, type WritableDisk, type ZeroOptions } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { NewBacking } from './basing/change-backing.ts';
import type { BitmapInfo, BitmapList } from './bitmaps/bitmap-list.ts';
import { BitmapPages } from './bitmaps/bitmap-pages.ts';
import type { NewBitmap } from './bitmaps/check-bitmap.ts';
import { type DirtyExtent, dirtyExtents } from './bitmaps/dirty-extents.ts';
import { type BitmapSource, mergedExtents } from './bitmaps/merged-extents.ts';
import { dataFileName } from './data-file-name.ts';
import { chainExtents, type HostExtent, hostExtents, ownExtents } from './disk-extents.ts';
import { encryptionArea, type LuksHeader } from './encryption/index.ts';
import type { ImageFile } from './image-file.ts';
import type { ImageHeader } from './image-header.ts';
import type { ClusterMap } from './mapping/cluster-map.ts';
import type { ClusterReader } from './mapping/cluster-reader.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import type { ResizeOptions } from './resizing/resize-options.ts';
import type { Snapshot } from './snapshots/snapshot.ts';
import type { CreateSnapshotOptions } from './snapshots/snapshot-labels.ts';
import type { Snapshots } from './snapshots/snapshots.ts';
import type { ImageWriter } from './writing/image-writer.ts';

/** What a disk is made of. */
export interface Qcow2DiskParts {
  readonly file: ImageFile;
  readonly header: ImageHeader;
  readonly map: ClusterMap;
  readonly reader: ClusterReader;
  readonly snapshots: Snapshots;
  /** Undefined when the image was opened for reading. */
  readonly writer: ImageWriter | undefined;
  readonly bitmaps: BitmapList;
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

  /** The external data file, as the image names it; undefined where it has none, or does not name it. */
  get dataFileName(): string | undefined {
    return dataFileName(this.header);
  }

  /**
   * What the LUKS header says; undefined where the image is not encrypted by LUKS. Takes no passphrase.
   * @throws CalveError `invalid`, `unsupported`, `corrupt`, `io`, `closed`
   */
  async luksHeader(): Promise<LuksHeader | undefined> {
    this.#checkOpen();
    if (this.header.cryptMethod !== 'luks') return undefined;
    const { readLuksHeader } = await import('./encryption/read-luks-header.ts');
    return readLuksHeader(this.#parts.file, encryptionArea(this.header));
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

  /** Where the image itself holds a range: in its file, or in its data file. Costs nothing for the chain below. */
  async *hostExtents(offset: number, length: number): AsyncGenerator<HostExtent> {
    this.#checkOpen();
    checkRange(this, offset, length);
    yield* hostExtents(this.#parts.map, offset, length);
  }

  write(from: Uint8Array, offset: number): Promise<void> {
    return this.#change((writer) => {
      checkRange(this, offset, from.length);
      return writer.write(from, offset);
    });
  }

  /**
   * As `write`, compressed as the image's header says, and packed tightly. A cluster that compression makes no smaller is
   * written plain, one of zeros becomes a zero cluster. What lay there before is freed. Many calls at a time are
   * compressed by several threads.
   * @param from whole clusters; the last one of the disk may be short
   * @throws CalveError `out-of-range` for parts of clusters; `unsupported` with encryption or an external data file; as
   *   `write`
   */
  writeCompressed(from: Uint8Array, offset: number): Promise<void> {
    return this.#change((writer) => {
      checkRange(this, offset, from.length);
      return writer.writeCompressed(from, offset);
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
   * The persistent dirty bitmaps, in the order of the directory (specification, "Bitmaps"). Those of an image that
   * somebody wrote to who did not keep them up are not listed.
   * @throws CalveError `corrupt` when the bitmap directory cannot be used; the disk can be read all the same
   */
  bitmaps(): readonly BitmapInfo[] {
    this.#checkOpen();
    return this.#parts.bitmaps.infos();
  }

  /**
   * What a bitmap says of a range of the disk, in bytes; neighbours that are alike are merged. Where the disk is written
   * meanwhile, each cluster of bits is as it was at one moment.
   * @throws CalveError `not-found`; `corrupt` for a bitmap that is inconsistent or cannot be read, `unsupported` for one
   *   with foreign extra data; `io`
   */
  async *dirtyExtents(bitmap: string, offset: number, length: number): AsyncGenerator<DirtyExtent> {
    this.#checkOpen();
    checkRange(this, offset, length);
    const { file, map, writer, bitmaps } = this.#parts;
    const pages = new BitmapPages(file, map.geometry.clusterSize);
    yield* dirtyExtents(bitmaps.sound(bitmap), pages, offset, length, (job) =>
      writer ? writer.parts.mutex.run(job) : job(),
    );
  }

  /**
   * Makes a bitmap in which no bit is set. As all changes of bitmaps, it is in the file when the image is closed.
   * @throws CalveError `exists`; `usage` for the name or the granularity; `unsupported` in version 2; `out-of-range` for
   *   a disk too large for the granularity, or empty, and for one bitmap too many
   *
   * @example
   * await disk.addBitmap({ name: 'since-monday' });
   */
  addBitmap(bitmap: NewBitmap): Promise<void> {
    return this.#changeBitmaps(async (bitmaps) => bitmaps.add(bitmap));
  }

  /**
   * Removes a bitmap, in whatever state it is.
   * @throws CalveError `not-found`
   */
  removeBitmap(name: string): Promise<void> {
    return this.#changeBitmaps((bitmaps) => bitmaps.remove(name));
  }

  /**
   * Clears every bit.
   * @param options `reset`: also of a bitmap that is inconsistent, which counts again then, from now on (default false)
   * @throws CalveError `not-found`; `corrupt` for a bitmap that is inconsistent; `unsupported` for one with foreign extra
   *   data
   */
  clearBitmap(name: string, options: { readonly reset?: boolean } = {}): Promise<void> {
    return this.#changeBitmaps((bitmaps) => bitmaps.clear(name, options.reset === true));
  }

  /**
   * From now on changes of the disk are set in the bitmap.
   * @throws CalveError as `clearBitmap`
   */
  enableBitmap(name: string): Promise<void> {
    return this.#changeBitmaps(async (bitmaps) => bitmaps.setEnabled(name, true));
  }

  /**
   * The bitmap stays as it is now.
   * @throws CalveError as `clearBitmap`
   */
  disableBitmap(name: string): Promise<void> {
    return this.#changeBitmaps(async (bitmaps) => bitmaps.setEnabled(name, false));
  }

  /**
   * Sets in a bitmap what is dirty in others, of this disk by name, or of other disks of this size. Granularities may
   * differ: a bit is set when any part of it is dirty. When reading a source fails, some of the bits are set.
   * @throws CalveError as `dirtyExtents`, for the target and each source; `usage` for a disk of another size
   */
  mergeBitmap(
    target: string,
    sources: string | BitmapSource | readonly (string | BitmapSource)[],
  ): Promise<void> {
    return this.#changeBitmaps((bitmaps) => bitmaps.merge(target, mergedExtents(this, sources)));
  }

  /**
   * The internal snapshots, in the order of the image's snapshot table.
   * @throws CalveError `corrupt` for an entry of it that cannot be right; `io`, `closed`
   */
  async snapshots(): Promise<readonly Snapshot[]> {
    this.#checkOpen();
    return this.#parts.snapshots.list();
  }

  /**
   * Makes a snapshot of the disk as it is now; of a virtual machine's state nothing. Durable when it resolves, with all
   * that was written before.
   * @throws CalveError `exists` when the name or the id is taken; `usage` for one that cannot be; `out-of-range` when the
   *   image's refcounts are too narrow for one more holder (nothing is changed then); `unsupported` with an external data
   *   file; `denied`, `corrupt`, `no-space`, `io`, `closed`
   *
   * @example
   * await disk.createSnapshot({ name: 'before the upgrade' });
   */
  createSnapshot(options: CreateSnapshotOptions): Promise<Snapshot> {
    return this.#changeAlone((writer) => this.#parts.snapshots.create(writer, options));
  }

  /**
   * Makes the disk what it was when a snapshot was taken, `size` included; what it is now is lost. The snapshot stays.
   * @param idOrName an id, or else a name
   * @throws CalveError `not-found`; `out-of-range`, `unsupported`, `denied`, `corrupt`, `no-space`, `io`, `closed` as
   *   `createSnapshot`
   */
  applySnapshot(idOrName: string): Promise<void> {
    return this.#changeAlone((writer) => this.#parts.snapshots.apply(writer, idOrName));
  }

  /**
   * Deletes a snapshot, and gives back what only it used.
   * @param idOrName a name, or else an id: as `qemu-img snapshot -d`, which looks for names alone
   * @throws CalveError `not-found`; `in-use` while it is open by `openSnapshot`; `unsupported`, `denied`, `corrupt`,
   *   `no-space`, `io`, `closed`
   */
  deleteSnapshot(idOrName: string): Promise<void> {
    return this.#changeAlone((writer) => this.#parts.snapshots.delete(writer, idOrName));
  }

  /**
   * A snapshot's contents as a disk that is read alone, whatever is written to this one meanwhile. It shares this disk's
   * file and its backing disk, and ends when this disk is closed, if it was not closed before.
   * @param idOrName an id, or else a name
   * @throws CalveError `not-found`, `unsupported`, `corrupt`, `io`, `closed`
   */
  async openSnapshot(idOrName: string): Promise<Disk> {
    this.#checkOpen();
    const { snapshots, writer } = this.#parts;
    const open = () => snapshots.open(idOrName);
    return writer ? writer.gate.shared(open) : open();
  }

  /**
   * Where a snapshot, or by default the disk as it is now, may read otherwise than another snapshot does: its extents
   * there, as `extents` tells them. What both map to the same clusters is left out, at no cost for its data. Nothing may be
   * written meanwhile.
   * @param from an id, or else a name; so is `to`
   * @throws CalveError as `openSnapshot`
   */
  async *snapshotExtents(from: string, to?: string): AsyncGenerator<Extent> {
    this.#checkOpen();
    yield* this.#parts.snapshots.changes(from, to);
  }

  /**
   * Changes the disk's size, to bytes, a multiple of 512, and makes that durable. Growth reads zeros, whatever a longer
   * backing file holds there. Changes under way end first, and later ones wait; reads go on. Internal snapshots keep
   * their size. After an error growth has left the old size; a shrink may have made the disk smaller.
   * @throws CalveError `out-of-range`, `usage`; `denied` for a smaller size without `shrink`, and for growth over a backing
   *   file that was left aside at opening; `unsupported`, with `data.feature`, for snapshots in version 2, and
   *   for preallocation with a data file; `corrupt`, `no-space`, `io`, `aborted`
   */
  async resize(size: number, options: ResizeOptions = {}): Promise<void> {
    const writer = this.#toWrite();
    await writer.gate.exclusive(async () => {
      const { resizeImage } = await import('./resizing/resize-image.ts');
      await resizeImage(writer, this.backing, size, options);
    });
  }

  /**
   * Forgets what the disk holds itself, so that it reads as its backing file does, or zeros without one, and gives the
   * storage back. Internal snapshots and bitmaps stay as they are. Cut off at any moment, some of it is gone: it is for a
   * disk that reads as its backing file already, as after a commit.
   * @throws CalveError `corrupt`, `no-space`, `io`, `denied`, `closed`
   */
  makeEmpty(): Promise<void> {
    return this.#changeAlone(async (writer) => {
      const { makeEmpty } = await import('./basing/make-empty.ts');
      await makeEmpty(writer);
    });
  }

  /**
   * Names another backing file in the header, in one write, after all that was written before is durable. No data moves:
   * what the image does not hold itself reads as the new one from the next opening on. `rebaseDisk` of `img` moves it
   * before. This disk goes on reading the old one, and is to be closed.
   * @param backing null for none
   * @throws CalveError `out-of-range` for a name too long for the header, `usage`; `unsupported` over a raw data file;
   *   `no-space`, `io`, `denied`, `closed`
   */
  changeBacking(backing: NewBacking | null): Promise<void> {
    return this.#changeAlone(async (writer) => {
      const { changeBacking } = await import('./basing/change-backing.ts');
      await changeBacking(writer, backing);
    });
  }

  /**
   * Whether `changeBacking` would be refused.
   * @throws CalveError as `changeBacking`
   */
  async checkBacking(backing: NewBacking | null): Promise<void> {
    const writer = this.#toWrite();
    const { checkBacking } = await import('./basing/change-backing.ts');
    checkBacking(writer, backing);
  }

  /**
   * As `writeZeroes`, of whole clusters or subclusters that are to read zeros whatever backing file the image is given
   * later: it says so itself even where no backing file holds anything now.
   */
  pinZeroes(offset: number, length: number): Promise<void> {
    return this.#change(async (writer) => {
      checkRange(this, offset, length);
      const { pinZeroes } = await import('./basing/pin-zeroes.ts');
      await pinZeroes(writer, offset, length);
    });
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

  /** As `#change`, of the whole image: nothing else changes it meanwhile. */
  async #changeAlone<T>(change: (writer: ImageWriter) => Promise<T>): Promise<T> {
    const writer = this.#toWrite();
    return writer.gate.exclusive(() => change(writer));
  }

  /** Alone: whoever changes the disk meanwhile would not know which bitmaps to tell. */
  #changeBitmaps(change: (bitmaps: ImageWriter['bitmaps']) => Promise<void>): Promise<void> {
    return this.#changeAlone((writer) => change(writer.bitmaps));
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
