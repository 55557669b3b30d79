/// <reference path="./ext2fs.d.ts" />
import type { BlockDevice } from 'ext2fs';
import type { Disk, WritableDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';

/** Where ext2, ext3 and ext4 keep their magic number: superblock at 1024, field s_magic at 56 (ext4 disk layout). */
const MAGIC_OFFSET = 1024 + 56;
const MAGIC = 0xef53;

/** Whether an ext2, ext3 or ext4 file system begins at the disk's first byte. */
export async function hasExtFileSystem(disk: Disk): Promise<boolean> {
  if (disk.size < 2048) return false;
  const sector = Buffer.alloc(512);
  await disk.read(sector, MAGIC_OFFSET - (MAGIC_OFFSET % 512));
  return sector.readUInt16LE(MAGIC_OFFSET % 512) === MAGIC;
}

/**
 * Writes one file of the ext2, ext3 or ext4 file system that fills the disk, making or replacing it, and flushes.
 * Meant for small files on a file system that nobody has mounted.
 *
 * @throws CalveError `invalid` when there is no such file system; `io` when it cannot be written
 */
export async function writeExtFile(disk: WritableDisk, path: string, data: Uint8Array): Promise<void> {
  const doing = `cannot write ${path}`;
  if (!(await hasExtFileSystem(disk))) {
    throw new CalveError(
      'invalid',
      `${doing}: no ext2, ext3 or ext4 file system begins at byte 0 of the disk`,
    );
  }
  // Loaded here alone: a WebAssembly module that most commands never need.
  const { withMountedDisk } = await import('ext2fs');
  const device = new Device(disk);
  try {
    await withMountedDisk(device, 0, (fs) => fs.promises.writeFile(path, Buffer.from(data)));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CalveError('io', `${doing}: ${message}`, { cause: device.reason ?? error });
  }
  await disk.flush();
}

/** A disk as the library wants it. */
class Device implements BlockDevice {
  /** The first error of the disk: the library reports a bare EIO. */
  reason: unknown;
  readonly #disk: WritableDisk;

  constructor(disk: WritableDisk) {
    this.#disk = disk;
  }

  async read(
    buffer: Uint8Array,
    start: number,
    length: number,
    offset: number,
  ): ReturnType<BlockDevice['read']> {
    await this.#noting(this.#disk.read(buffer.subarray(start, start + length), offset));
    return { bytesRead: length, buffer };
  }

  async write(
    buffer: Uint8Array,
    start: number,
    length: number,
    offset: number,
  ): ReturnType<BlockDevice['write']> {
    await this.#noting(this.#disk.write(buffer.subarray(start, start + length), offset));
    return { bytesWritten: length, buffer };
  }

  async discard(): Promise<void> {}

  async flush(): Promise<void> {
    await this.#noting(this.#disk.flush());
  }

  async #noting(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.reason ??= error;
      throw error;
    }
  }
}
