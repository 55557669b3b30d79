import { checkRange, type Extent, type WritableDisk } from '../../../disk/index.ts';

/** A disk that reads zeros and forgets what is written, QEMU's driver `null-co`. */
export class NullDisk implements WritableDisk {
  readonly size: number;

  /** @param size bytes */
  constructor(size: number) {
    this.size = size;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, into.length);
    into.fill(0);
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent> {
    checkRange(this, offset, length);
    if (length > 0) yield { offset, length, kind: 'zero', depth: 0 };
  }

  async write(from: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, from.length);
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    checkRange(this, offset, length);
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
