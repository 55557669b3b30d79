import { CalveError } from '../errors/index.ts';
import type { Disk, WritableDisk } from './disk.ts';
import { isWritable } from './is-writable.ts';

/**
 * A disk as the file that an image format works on: an image inside another disk, or in memory, or below a recorder.
 * It has HostFile's members that such an engine uses: reads that end at the end of the file, and writes that grow it.
 * Offsets and lengths are bytes. The disk is the file's from then on.
 *
 * Reading now (`readSync`) takes a disk that serves every `tryRead`, and growing one that can be resized.
 *
 * @example
 * const file = new DiskFile(recordingDisk(new MemoryDisk(0)), 'recorded.qcow2');
 */
export class DiskFile implements AsyncDisposable {
  /** What messages call it. */
  readonly path: string;
  readonly writable: boolean;
  readonly #disk: Disk;
  /** Growth and holes, one after the other; whatever is asked later waits for them. Never rejects. */
  #order: Promise<void> = Promise.resolve();
  #failedHole: { readonly error: unknown } | undefined;

  constructor(disk: Disk, path: string) {
    this.path = path;
    this.#disk = disk;
    this.writable = isWritable(disk);
  }

  stat(): { readonly size: number } {
    return { size: this.#disk.size };
  }

  /**
   * Fills `into` and returns the bytes read, fewer only at the end of the file.
   * @throws CalveError `unsupported` when the disk would have to wait
   */
  readSync(into: Uint8Array, offset: number): number {
    const part = this.#within(into, offset);
    if (part.length > 0 && this.#disk.tryRead?.(part, offset) !== true) {
      const range = `${part.length} bytes at ${offset}`;
      throw new CalveError(
        'unsupported',
        `cannot read ${range} of ${this.path} at once: its disk has to wait`,
      );
    }
    return part.length;
  }

  /** As `readSync`, for any disk. */
  async read(into: Uint8Array, offset: number): Promise<number> {
    await this.#order;
    const part = this.#within(into, offset);
    if (part.length > 0) await this.#disk.read(part, offset);
    return part.length;
  }

  /** Writes all of `from`, and grows the file before where that takes more room. */
  async write(from: Uint8Array, offset: number): Promise<void> {
    const disk = this.#toWrite();
    if (from.length === 0) return;
    const end = offset + from.length;
    await this.#order;
    if (end > disk.size) {
      await this.#inOrder(async () => {
        if (end > disk.size) await this.#resize(disk, end);
      });
    }
    await disk.write(from, offset);
  }

  /** What was written is durable. Throws, once, what a hole failed with. */
  async datasync(): Promise<void> {
    const disk = this.#toWrite();
    await this.#order;
    const failed = this.#failedHole;
    this.#failedHole = undefined;
    if (failed) throw failed.error;
    await disk.flush();
  }

  async truncate(size: number): Promise<void> {
    const disk = this.#toWrite();
    await this.#inOrder(() => this.#resize(disk, size));
  }

  /** Discards the range, later than it returns, and before whatever is asked later. False where the disk cannot. */
  punchHole(offset: number, length: number): boolean {
    const disk = this.#toWrite();
    if (!disk.discard) return false;
    this.#inOrder(async () => {
      const end = Math.min(offset + length, disk.size);
      try {
        if (offset < end) await disk.discard?.(offset, end - offset);
      } catch (error) {
        this.#failedHole ??= { error };
      }
    });
    return true;
  }

  async close(): Promise<void> {
    await this.#order;
    await this.#disk.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The part of `into` that lies before the end of the file. */
  #within(into: Uint8Array, offset: number): Uint8Array {
    return into.subarray(0, Math.max(0, Math.min(into.length, this.#disk.size - offset)));
  }

  #toWrite(): WritableDisk {
    if (isWritable(this.#disk)) return this.#disk;
    throw new CalveError('denied', `cannot write ${this.path}: its disk is for reading alone`);
  }

  async #resize(disk: WritableDisk, size: number): Promise<void> {
    if (!disk.resize) {
      const change = `from ${disk.size} to ${size} bytes`;
      throw new CalveError('unsupported', `cannot resize ${this.path} ${change}: its disk keeps its size`);
    }
    await disk.resize(size);
  }

  #inOrder(job: () => Promise<void>): Promise<void> {
    const done = this.#order.then(job);
    this.#order = done.catch(() => undefined);
    return done;
  }
}
