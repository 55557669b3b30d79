import { checkRange, type Disk } from '../../disk/index.ts';
import type { DiskRange } from '../file-tree.ts';

/** Ranges of a disk one after the other, as a disk for reading. The disk below stays open. */
export class SegmentedDisk implements Disk {
  readonly size: number;
  readonly #disk: Disk;
  readonly #ranges: readonly DiskRange[];

  constructor(disk: Disk, ranges: readonly DiskRange[]) {
    this.#disk = disk;
    this.#ranges = ranges;
    this.size = ranges.reduce((sum, { length }) => sum + length, 0);
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, into.length);
    let from = 0;
    for (const range of this.#ranges) {
      const start = Math.max(offset, from);
      const end = Math.min(offset + into.length, from + range.length);
      if (start < end) {
        await this.#disk.read(into.subarray(start - offset, end - offset), range.offset + start - from);
      }
      from += range.length;
    }
  }

  async close(): Promise<void> {}

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
