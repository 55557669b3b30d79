import { BlockStates } from './block-states.ts';
import { checkBlockSize } from './check-block-size.ts';
import { checkRange } from './check-range.ts';
import type { Disk, Extent, WritableDisk, ZeroOptions } from './disk.ts';
import { extentsOf } from './extents-of.ts';
import { Lifetime } from './lifetime.ts';
import { MemoryDisk } from './memory-disk.ts';
import { RangeLocks } from './range-locks.ts';
import type { WrapOptions } from './wrap-disk.ts';
import { writeZeroesTo } from './write-zeroes-to.ts';

/** How a disk is overlaid. */
export interface OverlayOptions extends WrapOptions {
  /** Where writes go, at least as large as the base; what it holds before does not count (default: memory). */
  readonly top?: WritableDisk;
  /** Bytes that are taken over from the base as one (default 64 KiB). */
  readonly blockSize?: number;
}

/**
 * A writable disk in front of any disk, which is never written. It has the base's size when it is made. Which blocks
 * were written is known only while it is open.
 *
 * @throws CalveError `out-of-range` when the top is smaller than the base or the block size is no positive number
 * @example
 * await using scratch = overlayDisk(await openRawDisk('golden.raw'));
 */
export function overlayDisk(base: Disk, options: OverlayOptions = {}): OverlayDisk {
  return new OverlayDisk(base, options);
}

/** Copy-on-write in front of a disk. Made by `overlayDisk`. */
export class OverlayDisk implements WritableDisk {
  readonly size: number;
  readonly #base: Disk;
  readonly #top: WritableDisk;
  readonly #states: BlockStates;
  /** What closing leaves open. */
  readonly #left: ReadonlySet<Disk>;
  readonly #locks = new RangeLocks();
  readonly #lifetime = new Lifetime();

  constructor(base: Disk, { top, blockSize = 64 * 1024, leaveOpen }: OverlayOptions) {
    checkBlockSize(blockSize);
    this.size = base.size;
    this.#base = base;
    this.#top = top ?? new MemoryDisk(base.size);
    this.#states = new BlockStates(base.size, blockSize);
    this.#left = new Set(leaveOpen === true ? [base, ...(top ? [top] : [])] : []);
    checkRange(this.#top, 0, this.size);
  }

  read(into: Uint8Array, offset: number): Promise<void> {
    return this.#lifetime.run(async () => {
      checkRange(this, offset, into.length);
      for (const run of this.#states.runs(offset, into.length)) {
        const piece = into.subarray(run.offset - offset, run.offset - offset + run.length);
        if (run.state === 'zero') piece.fill(0);
        else await this.#holder(run.state).read(piece, run.offset);
      }
    });
  }

  /** Declines where the top or the base would have to wait. */
  tryRead(into: Uint8Array, offset: number): boolean {
    this.#lifetime.check();
    checkRange(this, offset, into.length);
    for (const run of this.#states.runs(offset, into.length)) {
      const piece = into.subarray(run.offset - offset, run.offset - offset + run.length);
      if (run.state === 'zero') piece.fill(0);
      else if (this.#holder(run.state).tryRead?.(piece, run.offset) !== true) return false;
    }
    return true;
  }

  /** Depth 0 is what was written here; the base's own depth is 1. */
  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    this.#lifetime.check();
    checkRange(this, offset, length);
    for (const run of this.#states.runs(offset, length)) {
      if (run.state === 'below') {
        for await (const extent of extentsOf(this.#base, run.offset, run.length)) {
          yield { ...extent, depth: extent.depth + 1 };
        }
      } else {
        const kind = run.state === 'own' ? 'data' : 'zero';
        yield { offset: run.offset, length: run.length, kind, depth: 0 };
      }
    }
  }

  write(from: Uint8Array, offset: number): Promise<void> {
    return this.#change(offset, from.length, () =>
      this.#own(offset, from.length, () => this.#top.write(from, offset)),
    );
  }

  flush(): Promise<void> {
    return this.#lifetime.run(() => this.#top.flush());
  }

  /** Whole blocks take no space; with `unmap: false` those that have some keep it. */
  writeZeroes(offset: number, length: number, options: ZeroOptions = {}): Promise<void> {
    return this.#change(offset, length, () => this.#zero(offset, length, options));
  }

  /** Reads zeros afterwards. */
  discard(offset: number, length: number): Promise<void> {
    return this.writeZeroes(offset, length);
  }

  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      try {
        await (this.#left.has(this.#top) ? this.#top.flush() : this.#top.close());
      } finally {
        if (!this.#left.has(this.#base)) await this.#base.close();
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Changes of one block wait for each other: each may have to take the rest of the block over. */
  #change(offset: number, length: number, job: () => Promise<void>): Promise<void> {
    return this.#lifetime.run(async () => {
      checkRange(this, offset, length);
      if (length === 0) return;
      const end = offset + length;
      await this.#locks.run(this.#states.start(offset), this.#states.end(end), job);
    });
  }

  /** Lets `put` write the range into the top, where its blocks lie whole afterwards. */
  async #own(offset: number, length: number, put: () => Promise<void>): Promise<void> {
    const end = offset + length;
    await this.#takeOver(this.#states.start(offset), offset);
    await this.#takeOver(end, this.#states.end(end));
    await put();
    this.#states.set(offset, end, 'own');
  }

  /** Copies a part of a block into the top, unless the top has it. */
  async #takeOver(offset: number, end: number): Promise<void> {
    if (offset === end) return;
    const state = this.#states.get(offset);
    if (state === 'own') return;
    const bytes = new Uint8Array(end - offset);
    if (state === 'below') await this.#base.read(bytes, offset);
    await this.#top.write(bytes, offset);
  }

  async #zero(offset: number, length: number, options: ZeroOptions): Promise<void> {
    for (const { offset: at, length: bytes, state } of this.#states.runs(offset, length)) {
      if (state === 'zero') continue;
      const end = at + bytes;
      const put = (from: number, to: number) => writeZeroesTo(this.#top, from, to - from, options);
      if (state === 'own' && options.unmap === false) {
        await put(at, end);
        continue;
      }
      // The blocks that the range holds whole: their end is before their start where there is none.
      const whole = at === this.#states.start(at) ? at : Math.min(this.#states.end(at), end);
      const wholeEnd = end === this.#states.end(end) ? end : Math.max(this.#states.start(end), whole);
      if (at < whole) await this.#own(at, whole - at, () => put(at, whole));
      if (whole < wholeEnd) {
        this.#states.set(whole, wholeEnd, 'zero');
        if (state === 'own') await this.#top.discard?.(whole, wholeEnd - whole);
      }
      if (wholeEnd < end) await this.#own(wholeEnd, end - wholeEnd, () => put(wholeEnd, end));
    }
  }

  #holder(state: 'own' | 'below'): Disk {
    return state === 'own' ? this.#top : this.#base;
  }
}
