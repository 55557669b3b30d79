import { BlockCache } from './block-cache.ts';
import type { Disk } from './disk.ts';

/** Blocks that one read waits for at a time, so that a long read takes no memory beyond the cache's. */
const AT_A_TIME = 16;

/** A part of a block that a read asks for: bytes `start` to `end` of the block go to `at` of the caller's buffer. */
interface Piece {
  readonly block: number;
  readonly start: number;
  readonly end: number;
  readonly at: number;
}

/** The blocks of a disk that are kept in memory, and those on their way. */
export class CachedBlocks {
  readonly #disk: Disk;
  readonly #blockSize: number;
  readonly #kept: BlockCache;
  /** Reads of blocks under way. One that a change overtook is taken out: it may bring what was there before. */
  readonly #fills = new Map<number, Promise<Uint8Array>>();
  #size: number;

  /** @param limit bytes to keep */
  constructor(disk: Disk, blockSize: number, limit: number) {
    this.#disk = disk;
    this.#blockSize = blockSize;
    this.#kept = new BlockCache(limit);
    this.#size = disk.size;
  }

  /** The disk's, as of the last change of which the blocks know. */
  get size(): number {
    return this.#size;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    let waiting: Promise<void>[] = [];
    for (const piece of this.#pieces(offset, into.length)) {
      const bytes = this.#kept.get(piece.block);
      if (bytes) copy(bytes, piece, into);
      else waiting.push(this.#fill(piece.block).then((filled) => copy(filled, piece, into)));
      if (waiting.length < AT_A_TIME) continue;
      await allEnded(waiting);
      waiting = [];
    }
    await allEnded(waiting);
  }

  /** Whether all of the range is kept; then fills `into`. */
  tryRead(into: Uint8Array, offset: number): boolean {
    for (const piece of this.#pieces(offset, into.length)) {
      const bytes = this.#kept.get(piece.block);
      if (!bytes) return false;
      copy(bytes, piece, into);
    }
    return true;
  }

  /** The disk now holds `from` in the range, or zeros. */
  changed(offset: number, length: number, from?: Uint8Array): void {
    for (const { block, start, end, at } of this.#touched(offset, length)) {
      this.#fills.delete(block);
      const bytes = this.#kept.peek(block);
      if (from) bytes?.set(from.subarray(at, at + end - start), start);
      else bytes?.fill(0, start, end);
    }
  }

  /** The disk may hold anything in the range. */
  forget(offset: number, length: number): void {
    for (const { block } of this.#touched(offset, length)) {
      this.#fills.delete(block);
      this.#kept.delete(block);
    }
  }

  resized(size: number): void {
    // From the block on in which the smaller size ends: its length may change, too.
    const from = Math.min(size, this.#size);
    this.forget(from, Number.MAX_SAFE_INTEGER - from);
    this.#size = size;
  }

  #fill(block: number): Promise<Uint8Array> {
    const underWay = this.#fills.get(block);
    if (underWay) return underWay;
    const offset = block * this.#blockSize;
    const bytes = new Uint8Array(Math.min(this.#blockSize, this.#size - offset));
    const fill = this.#disk.read(bytes, offset).then(
      () => {
        if (this.#taken(block, fill)) this.#kept.set(block, bytes);
        return bytes;
      },
      (error) => {
        this.#taken(block, fill);
        throw error;
      },
    );
    this.#fills.set(block, fill);
    return fill;
  }

  /** Takes a fill out that has ended. False when a change did so before. */
  #taken(block: number, fill: Promise<Uint8Array>): boolean {
    return this.#fills.get(block) === fill && this.#fills.delete(block);
  }

  *#pieces(offset: number, length: number): Generator<Piece> {
    const last = this.#last(offset, length);
    for (let block = this.#first(offset); block <= last; block += 1) yield this.#piece(block, offset, length);
  }

  /** The pieces of a range whose blocks may be kept or on their way: of a long range, not every block is asked. */
  *#touched(offset: number, length: number): Generator<Piece> {
    const [first, last] = [this.#first(offset), this.#last(offset, length)];
    if (last - first < this.#kept.count + this.#fills.size) {
      yield* this.#pieces(offset, length);
      return;
    }
    for (const block of new Set([...this.#kept.numbers(), ...this.#fills.keys()])) {
      if (first <= block && block <= last) yield this.#piece(block, offset, length);
    }
  }

  #first(offset: number): number {
    return Math.floor(offset / this.#blockSize);
  }

  #last(offset: number, length: number): number {
    return Math.ceil((offset + length) / this.#blockSize) - 1;
  }

  #piece(block: number, offset: number, length: number): Piece {
    const blockStart = block * this.#blockSize;
    const from = Math.max(offset, blockStart);
    const to = Math.min(offset + length, blockStart + this.#blockSize);
    return { block, start: from - blockStart, end: to - blockStart, at: from - offset };
  }
}

function copy(bytes: Uint8Array, { start, end, at }: Piece, into: Uint8Array): void {
  into.set(bytes.subarray(start, end), at);
}

/** Waits for every one, because after a failure nothing may still be on its way to the caller's buffer. */
async function allEnded(reads: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(reads)) {
    if (result.status === 'rejected') throw result.reason;
  }
}
