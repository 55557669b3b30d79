import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE } from '../constants.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { Allocator } from '../writing/allocator.ts';
import type { MetadataClusters } from '../writing/metadata-clusters.ts';
import type { Mutex } from '../writing/mutex.ts';
import type { PendingFrees } from '../writing/pending-frees.ts';
import type { HostRange } from '../writing/refcount-table.ts';
import { Bitmap } from './bitmap.ts';
import type { BitmapList } from './bitmap-list.ts';
import type { BitmapPages } from './bitmap-pages.ts';
import { checkDiskSize, type NewBitmap, newBitmap } from './check-bitmap.ts';
import { DirectoryWriter } from './directory-writer.ts';
import type { DirtyExtent } from './dirty-extents.ts';
import { PageWriter } from './page-writer.ts';

/** What the bitmaps of an image that is written work on. */
export interface BitmapWriterParts {
  readonly file: ImageFile;
  readonly header: ImageHeader;
  readonly geometry: Geometry;
  readonly list: BitmapList;
  readonly pages: BitmapPages;
  readonly allocator: Allocator;
  readonly clusters: MetadataClusters;
  readonly frees: PendingFrees;
  readonly mutex: Mutex;
  /** Makes all that was written durable, refcounts first. Under the mutex. */
  readonly commit: () => Promise<void>;
}

/** Bytes of bits in memory, of all bitmaps together, past which they are moved to the file. */
const MOST_BYTES = 8 * 1024 ** 2;
const NOTHING_LEFT = { flagged: false, punch: false };

/**
 * Keeps up the bitmaps of an image that is written (trap 32). Before anything is changed they are marked as in use on
 * disk, durably, and from then on the file says of their bits nothing that counts; when the image is closed they are
 * stored, and the marks taken off, in this order:
 *
 * 1. bits to clusters that no stored table leads to; places for tables and a directory that changed in length
 * 2. a commit: refcounts and all guest data are durable
 * 3. bitmap tables, a directory at a new place; a barrier
 * 4. the directory's flags where it lies, or the header that names the new one; a barrier
 * 5. what was left is freed, as part of the next commit
 *
 * A crash leaves each bitmap as it was, marked as in use, or as it is now; never one that counts and lacks a change.
 * What is added, removed and changed about bitmaps is in the file, too, when the image is closed.
 */
export class BitmapWriter {
  readonly #parts: BitmapWriterParts;
  readonly #pageWriter: PageWriter;
  readonly #directoryWriter: DirectoryWriter;
  /** Marked as in use, on disk. */
  #begun = false;
  /** The directory in the file has other entries, or other places in them. */
  #otherDirectory = false;

  constructor(parts: BitmapWriterParts) {
    const { file, header, pages, allocator, clusters } = parts;
    this.#parts = parts;
    this.#pageWriter = new PageWriter(file, pages, allocator, clusters);
    this.#directoryWriter = new DirectoryWriter(file, header, clusters);
  }

  /** The range of the disk, in bytes, is about to change. To be called for every change, ahead of it. */
  mark(offset: number, length: number): void {
    if (length === 0) return;
    for (const bitmap of this.#parts.list.bitmaps) {
      if (bitmap.enabled && bitmap.sound) bitmap.mark(offset, length);
    }
  }

  /** Whether so many bits are in memory that `makeRoom` should be called. */
  get isFull(): boolean {
    let bytes = 0;
    for (const bitmap of this.#parts.list.bitmaps) bytes += bitmap.changes.bytes;
    return bytes > MOST_BYTES;
  }

  /** Moves bits to the file, where they do not count before the image is closed. Not under the mutex. */
  makeRoom(): Promise<void> {
    return this.#parts.mutex.run(() => this.#moveAll());
  }

  /** Marks the bitmaps as in use, ahead of the first change of anything in the image. Not under the mutex. */
  async begin(): Promise<void> {
    const { list, mutex, file } = this.#parts;
    await mutex.run(async () => {
      const { directory } = list;
      if (directory) {
        // One that cannot be kept up is outdated from now on, and stays marked.
        for (const bitmap of list.bitmaps) {
          if (bitmap.foreign && bitmap.enabled) bitmap.inconsistent = true;
        }
        await this.#directoryWriter.write(list, directory, true);
        await file.barrier();
      }
      this.#begun = true;
    });
  }

  /** @throws CalveError `exists`, `usage`, `unsupported`, `out-of-range`: see `newBitmap` */
  add(wanted: NewBitmap): void {
    const { list, geometry, header } = this.#parts;
    const { identity, enabled } = newBitmap(wanted, list, geometry, header.current);
    const size = { disk: geometry.size, cluster: geometry.clusterSize };
    list.bitmaps.push(new Bitmap(identity, size, { inconsistent: false, enabled }));
    this.#otherDirectory = true;
  }

  /** In whatever state it is. */
  remove(name: string): Promise<void> {
    const { list, mutex } = this.#parts;
    return mutex.run(async () => {
      const bitmap = list.find(name);
      await this.#pageWriter.leavePages(bitmap);
      this.#pageWriter.leave(bitmap.table);
      list.bitmaps.splice(list.bitmaps.indexOf(bitmap), 1);
      this.#otherDirectory = true;
    });
  }

  /** @param reset also one that is inconsistent, which counts again then */
  clear(name: string, reset: boolean): Promise<void> {
    const { list, mutex, geometry } = this.#parts;
    return mutex.run(async () => {
      const found = list.find(name);
      const bitmap = reset && found.inconsistent && !found.foreign ? found : list.sound(name);
      const { granularityBits } = bitmap.identity;
      checkDiskSize(list.path, name, geometry.size, granularityBits);
      await this.#pageWriter.leavePages(bitmap);
      bitmap.restart(geometry.size);
      bitmap.inconsistent = false;
    });
  }

  setEnabled(name: string, enabled: boolean): void {
    this.#parts.list.sound(name).enabled = enabled;
  }

  /** Sets what is dirty in some extents. */
  async merge(name: string, extents: AsyncIterable<DirtyExtent>): Promise<void> {
    const bitmap = this.#parts.list.sound(name);
    for await (const { offset, length, dirty } of extents) {
      if (!dirty) continue;
      bitmap.mark(offset, length);
      if (this.isFull) await this.makeRoom();
    }
  }

  /**
   * Asserts that the bitmaps can follow a change of the disk's size.
   * @throws CalveError `out-of-range` for a size, `unsupported` for a bitmap of a kind that is not known
   */
  checkResize(diskSize: number): void {
    const { list } = this.#parts;
    for (const { name, inconsistent, identity } of list.bitmaps) {
      if (inconsistent) continue;
      checkDiskSize(list.path, list.sound(name).name, diskSize, identity.granularityBits);
    }
  }

  /**
   * The disk gets another size, in bytes: new parts of it are clean. To be called by whoever holds the gate exclusively,
   * before or after the size changes. Inconsistent bitmaps keep the size that they have.
   * @throws CalveError as `checkResize`, nothing changed then
   */
  async resize(diskSize: number): Promise<void> {
    this.checkResize(diskSize);
    await this.#parts.mutex.run(async () => {
      for (const bitmap of this.#parts.list.bitmaps) {
        if (bitmap.sound) await this.#pageWriter.resize(bitmap, diskSize);
      }
    });
  }

  /** Stores the bitmaps, after the last change of the image. Under the mutex; a commit must follow. */
  async store(): Promise<void> {
    const { list, file, frees, allocator, geometry, commit } = this.#parts;
    if (!this.#begun || (list.bitmaps.length === 0 && !this.#otherDirectory)) return;
    await this.#moveAll();
    const changed = await this.#placeTables();
    let { directory } = list;
    if (this.#otherDirectory) {
      this.#pageWriter.leave(directory);
      const length = list.directoryBytes;
      const clusters = Math.ceil(length / geometry.clusterSize);
      directory =
        clusters === 0
          ? undefined
          : { offset: (await allocator.takeFor('bitmap directory', clusters)).offset, length };
    }
    await commit();
    for (const bitmap of changed) await this.#writeTable(bitmap);
    if (directory && this.#otherDirectory) await this.#directoryWriter.write(list, directory, false);
    await file.barrier();
    if (this.#otherDirectory) await this.#directoryWriter.publish(list, directory);
    else if (directory) await this.#directoryWriter.write(list, directory, false);
    await file.barrier();
    list.directory = directory;
    this.#begun = false;
    this.#otherDirectory = false;
    for (const { offset, length } of this.#pageWriter.takeLeft()) frees.add(offset, length, NOTHING_LEFT);
  }

  async #moveAll(): Promise<void> {
    for (const bitmap of this.#parts.list.bitmaps) {
      if (bitmap.sound) await this.#pageWriter.moveChanges(bitmap);
    }
  }

  /**
   * Tables stay where they are as long as the directory does: the file's say nothing that counts. When it moves, all of
   * each sound bitmap moves with it, as in QEMU; one that cannot be read stays as it is. Returns the bitmaps whose tables
   * are to be written.
   */
  async #placeTables(): Promise<Bitmap[]> {
    const sound = this.#parts.list.bitmaps.filter((bitmap) => bitmap.sound);
    this.#otherDirectory ||= sound.some(
      ({ table, places }) => places && table?.length !== tableBytes(places),
    );
    if (!this.#otherDirectory) return sound.filter(({ placesChanged }) => placesChanged);
    const placed: Bitmap[] = [];
    for (const bitmap of sound) {
      if (!(await this.#moveStored(bitmap))) continue;
      await this.#placeTable(bitmap);
      placed.push(bitmap);
    }
    return placed;
  }

  /** False when what is stored cannot be read. */
  async #moveStored(bitmap: Bitmap): Promise<boolean> {
    try {
      await this.#pageWriter.moveStored(bitmap);
      return true;
    } catch (error) {
      if (!CalveError.is(error, 'corrupt')) throw error;
      return false;
    }
  }

  async #placeTable(bitmap: Bitmap): Promise<void> {
    const { allocator, geometry } = this.#parts;
    const length = tableBytes(bitmap.places ?? new Float64Array());
    this.#pageWriter.leave(bitmap.table);
    const { offset } = await allocator.takeFor('bitmap table', Math.ceil(length / geometry.clusterSize));
    bitmap.table = { offset, length };
  }

  async #writeTable(bitmap: Bitmap): Promise<void> {
    const { places, table } = bitmap;
    if (!places || !table) return;
    await this.#write(encodePlaces(places), table);
    bitmap.placesChanged = false;
  }

  async #write(bytes: Uint8Array, table: HostRange): Promise<void> {
    this.#parts.clusters.checkMetadata('bitmap table', table.offset, table.length);
    await this.#parts.file.write(bytes, table.offset);
  }
}

function tableBytes(places: Float64Array): number {
  return places.length * ENTRY_SIZE;
}

/** Section "Bitmap table". */
function encodePlaces(places: Float64Array): Uint8Array {
  const bytes = new Uint8Array(tableBytes(places));
  const view = new DataView(bytes.buffer);
  places.forEach((place, index) => {
    view.setUint32(index * ENTRY_SIZE, Math.floor(place / 2 ** 32));
    view.setUint32(index * ENTRY_SIZE + 4, place % 2 ** 32);
  });
  return bytes;
}
