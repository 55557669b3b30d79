import { isZero } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';

/** Bytes that are compared with zeros at once. */
const PIECE = 4096;

/** A range of the file, in bytes. */
export interface HostRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * The refcount table, whole in memory: where each refcount block lies. What is set counts in memory at once and is
 * written later, by whoever knows the order.
 */
export class RefcountTable {
  #place: HostRange;
  #capacity: number;
  /** Of as many as are used, and some more. */
  #blocks: Float64Array;
  #used: number;
  readonly #dirty = new Set<number>();
  readonly #left: HostRange[] = [];

  /** @param place a whole number of clusters */
  constructor(bytes: Uint8Array, place: HostRange) {
    this.#place = place;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#capacity = bytes.length / ENTRY_SIZE;
    this.#used = Math.ceil(usedBytes(bytes) / ENTRY_SIZE);
    this.#blocks = new Float64Array(this.#used);
    for (let index = 0; index < this.#used; index += 1) {
      const at = index * ENTRY_SIZE;
      // Bits 9 to 63; there is no COPIED flag here (trap 26).
      this.#blocks[index] = view.getUint32(at) * 2 ** 32 + ((view.getUint32(at + 4) & 0xffff_fe00) >>> 0);
    }
  }

  get place(): HostRange {
    return this.#place;
  }

  /** How many blocks it has room for. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Entries from here on name no block. Most of a table is room to grow. */
  get used(): number {
    return this.#used;
  }

  /** Whether the table has a new place, which the header on disk does not know of yet. */
  get moved(): boolean {
    return this.#left.length > 0;
  }

  get dirty(): boolean {
    return this.moved || this.#dirty.size > 0;
  }

  /** Host offset of a refcount block; 0 if there is none. */
  blockOffset(index: number): number {
    return this.#blocks[index] ?? 0;
  }

  setBlock(index: number, offset: number): void {
    if (index >= this.#blocks.length) {
      const blocks = new Float64Array(Math.min(this.#capacity, 2 * (index + 1)));
      blocks.set(this.#blocks);
      this.#blocks = blocks;
    }
    this.#blocks[index] = offset;
    this.#used = Math.max(this.#used, index + 1);
    this.#dirty.add(index);
  }

  /** Makes room in memory; `moveTo` must follow before the table is written. */
  extend(capacity: number): void {
    this.#capacity = capacity;
  }

  /** A place for the extended table. */
  moveTo(place: HostRange): void {
    this.#left.push(this.#place);
    this.#place = place;
  }

  /** Writes what was changed: of a table that moved everything, to the new place. */
  async write(file: ImageFile): Promise<void> {
    if (this.moved) {
      await file.write(this.#encode(0, this.capacity), this.#place.offset);
    } else {
      for (const index of [...this.#dirty].sort((a, b) => a - b)) {
        await file.write(this.#encode(index, index + 1), this.#place.offset + index * ENTRY_SIZE);
      }
    }
    this.#dirty.clear();
  }

  /** To be called when the header knows the new place; returns the places that are left. */
  settle(): HostRange[] {
    return this.#left.splice(0);
  }

  #encode(from: number, to: number): Uint8Array {
    const bytes = new Uint8Array((to - from) * ENTRY_SIZE);
    const view = new DataView(bytes.buffer);
    for (let index = from; index < to; index += 1) {
      const offset = this.blockOffset(index);
      view.setUint32((index - from) * ENTRY_SIZE, Math.floor(offset / 2 ** 32));
      view.setUint32((index - from) * ENTRY_SIZE + 4, offset % 2 ** 32);
    }
    return bytes;
  }
}

/** Bytes up to where nothing but zeros follow, in whole pieces. */
function usedBytes(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && isZero(bytes.subarray(Math.max(0, end - PIECE), end))) end -= PIECE;
  return Math.max(0, end);
}

/** @throws CalveError `corrupt` when the table or a block that it names lies outside the file; `io` */
export async function readRefcountTable(file: ImageFile, header: Qcow2Header): Promise<RefcountTable> {
  const { refcountTableOffset: offset, clusterSize } = header;
  const length = header.refcountTableClusters * clusterSize;
  const bytes = await file.readStructure('the refcount table', offset, length);
  const table = new RefcountTable(bytes, { offset, length });
  // Given back at once: of many images opened one after the other, the collector would let megabytes pile up.
  bytes.buffer.transfer(0);
  for (let index = 0; index < table.used; index += 1) {
    const block = table.blockOffset(index);
    if (block % clusterSize === 0 && block < file.end) continue;
    throw new CalveError(
      'corrupt',
      `${file.path}: refcount table entry ${index}: expected a multiple of ${clusterSize} inside the file, got ${block}`,
      { hint: `qemu-img check -r all ${file.path}` },
    );
  }
  return table;
}
