import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Bitmap } from './bitmap.ts';
import { ALL_ONES, ALL_ZEROS, bitmapClusterOffset, isBadBitmapTableEntry } from './bitmap-table-entry.ts';

/** Reads the bits of bitmaps: what the file holds, and what was set in memory since. */
export class BitmapPages {
  readonly clusterSize: number;
  readonly #file: ImageFile;

  constructor(file: ImageFile, clusterSize: number) {
    this.#file = file;
    this.clusterSize = clusterSize;
  }

  /**
   * The bitmap's table, in memory from then on: 8 bytes a cluster of bits.
   * @throws CalveError `corrupt` for an entry that cannot be right; `io`
   */
  async places(bitmap: Bitmap): Promise<Float64Array> {
    bitmap.places ??= await this.#readTable(bitmap);
    return bitmap.places;
  }

  /** What all bits of a page are, when that is known without reading them. */
  uniform(bitmap: Bitmap, places: Float64Array, page: number): 'zeros' | 'ones' | undefined {
    const place = places[page] ?? ALL_ZEROS;
    if (place > ALL_ONES || bitmap.changes.has(page)) return undefined;
    return place === ALL_ONES ? 'ones' : 'zeros';
  }

  /** The bits of a page as they count now. */
  async read(bitmap: Bitmap, places: Float64Array, page: number): Promise<Uint8Array> {
    const bits = await this.stored(bitmap, places, page);
    bitmap.changes.applyTo(bits, page);
    return bits;
  }

  /** The bits of a page without the changes in memory; past the bitmap's last bit there are zeros. */
  async stored(bitmap: Bitmap, places: Float64Array, page: number): Promise<Uint8Array> {
    const bits = new Uint8Array(this.clusterSize);
    const place = places[page] ?? ALL_ZEROS;
    if (place === ALL_ONES) bits.fill(0xff);
    else if (place !== ALL_ZEROS) await this.#file.read(bits, place);
    clearFrom(bits, bitmap.bits - page * bitmap.pageBits);
    return bits;
  }

  async #readTable(bitmap: Bitmap): Promise<Float64Array> {
    const { offset, length } = bitmap.table ?? { offset: 0, length: 0 };
    const what = `the table of bitmap ${JSON.stringify(bitmap.name)}`;
    const bytes = await this.#file.readStructure(what, offset, length);
    const view = new DataView(bytes.buffer);
    const places = new Float64Array(length / ENTRY_SIZE);
    for (let index = 0; index < places.length; index += 1) {
      const high = view.getUint32(index * ENTRY_SIZE);
      const low = view.getUint32(index * ENTRY_SIZE + 4);
      const place = bitmapClusterOffset(high, low);
      if (isBadBitmapTableEntry(high, low, this.clusterSize) || place >= this.#file.end) {
        throw this.#badEntry(what, index, `0x${((BigInt(high) << 32n) | BigInt(low)).toString(16)}`);
      }
      places[index] = place === 0 ? low & ALL_ONES : place;
    }
    return places;
  }

  #badEntry(what: string, index: number, got: string): CalveError {
    const { path } = this.#file;
    const expected = `0, 1 or a multiple of ${this.clusterSize} inside the file`;
    return new CalveError('corrupt', `${path}: ${what}, entry ${index}: expected ${expected}, got ${got}`, {
      hint: `qemu-img check ${path}`,
      data: { path, entry: index },
    });
  }
}

/** Clears the bits from `bit` on. */
export function clearFrom(bytes: Uint8Array, bit: number): void {
  if (bit >= bytes.length * 8) return;
  const byte = bit >>> 3;
  bytes[byte] = (bytes[byte] ?? 0) & ((1 << (bit & 7)) - 1);
  bytes.fill(0, byte + 1);
}
