import { isZero } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { ImageFile } from '../image-file.ts';
import type { Allocator } from '../writing/allocator.ts';
import type { MetadataClusters } from '../writing/metadata-clusters.ts';
import type { HostRange } from '../writing/refcount-table.ts';
import type { Bitmap } from './bitmap.ts';
import { type BitmapPages, clearFrom } from './bitmap-pages.ts';
import { bitmapSize } from './bitmap-size.ts';
import { ALL_ONES, ALL_ZEROS } from './bitmap-table-entry.ts';

/**
 * Moves bits from memory to clusters of the file. A cluster that the file's tables lead to is never written: the bits go
 * to a new one, which is written again and again until a table that leads to it is stored. So bitmaps whose tables lead
 * where they should not cannot do harm. Members run one at a time, under the writer's mutex.
 */
export class PageWriter {
  readonly #file: ImageFile;
  readonly #pages: BitmapPages;
  readonly #allocator: Allocator;
  readonly #clusters: MetadataClusters;
  #left: HostRange[] = [];

  constructor(file: ImageFile, pages: BitmapPages, allocator: Allocator, clusters: MetadataClusters) {
    this.#file = file;
    this.#pages = pages;
    this.#allocator = allocator;
    this.#clusters = clusters;
  }

  /** Moves all bits that were set in memory. Bits may be set meanwhile: they stay for the next time. */
  async moveChanges(bitmap: Bitmap): Promise<void> {
    if (bitmap.changes.empty) return;
    const places = await this.#pages.places(bitmap);
    for (const page of bitmap.changes.pages()) await this.#move(bitmap, places, page);
  }

  /** Moves all pages that lie in the file to clusters that were written since it was opened. */
  async moveStored(bitmap: Bitmap): Promise<void> {
    const places = await this.#pages.places(bitmap);
    for (const [page, place] of places.entries()) {
      if (place > ALL_ONES && !this.#isOurs(place)) await this.#move(bitmap, places, page);
    }
  }

  /** The bitmap becomes that of a disk of `diskSize` bytes: bits past the old end or the new one are clear. */
  async resize(bitmap: Bitmap, diskSize: number): Promise<void> {
    const { clusterSize } = this.#pages;
    const { bits, tableEntries } = bitmapSize(diskSize, bitmap.identity.granularityBits, clusterSize);
    if (bits === bitmap.bits) return;
    const places = await this.#pages.places(bitmap);
    const kept = Math.min(bits, bitmap.bits);
    const edge = Math.floor(kept / bitmap.pageBits);
    // What said of the last page that all its bits are set would say so of the new ones.
    if (kept % bitmap.pageBits !== 0) await this.#move(bitmap, places, edge, kept);
    for (const page of bitmap.changes.pages()) if (page * bitmap.pageBits >= kept) bitmap.changes.drop(page);
    for (let page = tableEntries; page < places.length; page += 1) this.#leave(places[page] ?? ALL_ZEROS);
    const resized = new Float64Array(tableEntries);
    resized.set(places.subarray(0, tableEntries));
    bitmap.places = resized;
    bitmap.placesChanged = true;
    bitmap.bits = bits;
  }

  /** All clusters of bits that a bitmap's table leads to are left. Those that cannot be found are a leak. */
  async leavePages(bitmap: Bitmap): Promise<void> {
    try {
      for (const place of await this.#pages.places(bitmap)) this.#leave(place);
    } catch (error) {
      if (!CalveError.is(error, 'corrupt')) throw error;
    }
  }

  /** A structure is left. */
  leave(range: HostRange | undefined): void {
    if (range) this.#left.push(range);
  }

  /** What nothing in the file leads to once the bitmaps are stored. */
  takeLeft(): HostRange[] {
    return this.#left.splice(0);
  }

  /** @param kept bits from this one on are cleared */
  async #move(bitmap: Bitmap, places: Float64Array, page: number, kept?: number): Promise<void> {
    const { changes } = bitmap;
    const whole = changes.isWhole(page);
    const bits = whole
      ? new Uint8Array(this.#pages.clusterSize)
      : await this.#pages.stored(bitmap, places, page);
    // At once: what is set from here on is kept for the next time.
    changes.applyTo(bits, page);
    changes.drop(page);
    if (kept !== undefined) clearFrom(bits, kept - page * bitmap.pageBits);
    try {
      const place = await this.#put(bits, places[page] ?? ALL_ZEROS);
      if (place !== places[page]) bitmap.placesChanged = true;
      places[page] = place;
    } catch (error) {
      changes.add(bits, page);
      throw error;
    }
  }

  /** Where the bits of a page are now. */
  async #put(bits: Uint8Array, before: number): Promise<number> {
    const uniform = isZero(bits) ? ALL_ZEROS : bits.every((byte) => byte === 0xff) ? ALL_ONES : undefined;
    if (uniform !== undefined) {
      this.#leave(before);
      return uniform;
    }
    const { clusterSize } = this.#pages;
    const ours = before > ALL_ONES && this.#isOurs(before);
    const place = ours ? before : (await this.#allocator.takeFor('bitmap data', 1)).offset;
    this.#clusters.checkMetadata('bitmap data', place, clusterSize);
    await this.#file.write(bits, place);
    if (!ours) this.#leave(before);
    return place;
  }

  /** Whether a page was written since the image was opened. */
  #isOurs(place: number): boolean {
    return this.#clusters.kindOf(place / this.#pages.clusterSize) === 'bitmap data';
  }

  #leave(place: number): void {
    if (place <= ALL_ONES) return;
    const { clusterSize } = this.#pages;
    const kind = this.#clusters.kindOf(place / clusterSize);
    // Of a table that leads to other metadata nothing is freed.
    if (kind === undefined || kind === 'bitmap data') this.#left.push({ offset: place, length: clusterSize });
  }
}
