import { isZero } from '../../../bytes/index.ts';
import type { Disk } from '../../../disk/index.ts';
import type { HostFile } from '../../../host/index.ts';
import { BlockSet } from '../block-set.ts';

/** A file system of which everything that is read is there, afterwards, in a sparse file too. */
export class CopyingDisk implements Disk {
  readonly size: number;
  /** The blocks that were copied. */
  readonly copied: BlockSet = new BlockSet();
  readonly #disk: Disk;
  readonly #file: HostFile;
  readonly #blockSize: number;

  /** @param disk stays open, as does the file, whose holes read zeros */
  constructor(disk: Disk, file: HostFile, blockSize: number) {
    this.size = disk.size;
    this.#disk = disk;
    this.#file = file;
    this.#blockSize = blockSize;
  }

  /** Whole blocks are copied. */
  async read(into: Uint8Array, offset: number): Promise<void> {
    const size = this.#blockSize;
    const first = Math.floor(offset / size);
    const end = Math.min(Math.ceil((offset + into.length) / size) * size, this.size);
    const isWhole = first * size === offset && end === offset + into.length;
    const bytes = isWhole ? into : Buffer.allocUnsafe(end - first * size);
    await this.#disk.read(bytes, first * size);
    // Blocks that were copied before may have been changed in the file since.
    let from = 0;
    const writeUpTo = (end: number): void => {
      if (end > from) this.#file.writeSync(bytes.subarray(from, end), first * size + from);
    };
    for (let at = 0; at < bytes.length; at += size) {
      const block = first + at / size;
      const isKnown = this.copied.has(block);
      if (!isKnown) this.copied.add(block, 1);
      if (!isKnown && !isZero(bytes.subarray(at, at + size))) continue;
      writeUpTo(at);
      from = at + size;
    }
    writeUpTo(bytes.length);
    if (!isWhole) into.set(bytes.subarray(offset - first * size, offset - first * size + into.length));
  }

  /** Copies blocks, however many. */
  async copy(first: number, count: number): Promise<void> {
    const most = Math.max(1, Math.floor((1 << 20) / this.#blockSize));
    const buffer = Buffer.allocUnsafe(Math.min(count, most) * this.#blockSize);
    for (let at = 0; at < count; at += most) {
      const blocks = Math.min(most, count - at);
      const offset = (first + at) * this.#blockSize;
      const length = Math.min(blocks * this.#blockSize, this.size - offset);
      if (length > 0) await this.read(buffer.subarray(0, length), offset);
    }
  }

  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}
