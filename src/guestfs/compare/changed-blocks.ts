import type { DiskRange } from '../file-tree.ts';

/** Blocks are not told apart more finely: no file system that is read here has smaller metadata blocks than most of its own. */
const SMALLEST_BLOCK = 4096;
/** Bits that are kept at the most; a larger disk has larger blocks. */
const MOST_BLOCKS = 2 ** 25;

/**
 * Where two disks may differ: a bit a block, so that any number of ranges takes the same memory, at most 4 MiB.
 * Everything that is not marked reads the same on both.
 */
export class ChangedBlocks {
  /** Bytes of a block, a power of two. */
  readonly blockSize: number;
  readonly #size: number;
  readonly #bits: Uint8Array;

  /** @param size bytes of the larger disk */
  constructor(size: number) {
    let blockSize = SMALLEST_BLOCK;
    while (size / blockSize > MOST_BLOCKS) blockSize *= 2;
    this.blockSize = blockSize;
    this.#size = size;
    this.#bits = new Uint8Array(Math.ceil(size / blockSize / 8));
  }

  /** Marks a range; what lies past the end of the disk is left out. */
  mark({ offset, length }: DiskRange): void {
    const end = this.#end(offset + length);
    for (let block = Math.floor(offset / this.blockSize); block < end; ) {
      if (block % 8 === 0 && block + 8 <= end) {
        const bytes = Math.floor((end - block) / 8);
        this.#bits.fill(0xff, block / 8, block / 8 + bytes);
        block += bytes * 8;
      } else {
        this.#bits[block >>> 3] = (this.#bits[block >>> 3] ?? 0) | (1 << (block & 7));
        block += 1;
      }
    }
  }

  /** Whether any block of a range is marked. */
  readonly has = (offset: number, length: number): boolean => {
    const end = this.#end(offset + length);
    for (let block = Math.floor(offset / this.blockSize); block < end; ) {
      const byte = this.#bits[block >>> 3] ?? 0;
      if (byte === 0) block = (block | 7) + 1;
      else if (byte & (1 << (block & 7))) return true;
      else block += 1;
    }
    return false;
  };

  /** The marked ranges within a range, in order, cut to it. */
  *within(offset: number, length: number): Generator<DiskRange> {
    const stop = Math.min(offset + length, this.#size);
    const end = this.#end(stop);
    let from = -1;
    for (let block = Math.floor(offset / this.blockSize); block < end; ) {
      const byte = this.#bits[block >>> 3] ?? 0;
      const marked = (byte & (1 << (block & 7))) !== 0;
      if (marked && from < 0) from = block;
      if (!marked && from >= 0) {
        yield this.#range(from, block, offset, stop);
        from = -1;
      }
      // Whole bytes of one kind at a time.
      if (block % 8 === 0 && (byte === 0 || byte === 0xff)) block += 8;
      else block += 1;
    }
    if (from >= 0) yield this.#range(from, end, offset, stop);
  }

  #range(from: number, to: number, offset: number, stop: number): DiskRange {
    const start = Math.max(offset, from * this.blockSize);
    return { offset: start, length: Math.min(stop, to * this.blockSize) - start };
  }

  /** The first block behind a place. */
  #end(place: number): number {
    return Math.ceil(Math.min(place, this.#size) / this.blockSize);
  }
}
