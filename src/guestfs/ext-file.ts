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
 * Reads one file of the ext2, ext3 or ext4 file system that fills the disk.
 *
 * @throws CalveError `invalid` when there is no such file system; `io` when it cannot be read
 */
export async function readExtFile(disk: Disk, path: string): Promise<Buffer> {
  return await onFileSystem(disk, forget, `cannot read ${path}`, async (fs) =>
    Buffer.from(await fs.promises.readFile(path, { encoding: 'latin1' }), 'latin1'),
  );
}

/**
 * Writes one file of the ext2, ext3 or ext4 file system that fills the disk, making or replacing it, and flushes.
 * Meant for small files on a file system that nobody has mounted.
 *
 * @throws CalveError `invalid` when there is no such file system; `io` when it cannot be written
 */
export async function writeExtFile(disk: WritableDisk, path: string, data: Uint8Array): Promise<void> {
  const write = (from: Uint8Array, offset: number): Promise<void> => disk.write(from, offset);
  await onFileSystem(disk, write, `cannot write ${path}`, (fs) =>
    fs.promises.writeFile(path, Buffer.from(data)),
  );
  await disk.flush();
}

/** The library notes the time of every reading in the file's inode; a disk that is read stays as it is. */
async function forget(): Promise<void> {}

async function onFileSystem<T>(
  disk: Disk,
  write: (from: Uint8Array, offset: number) => Promise<void>,
  doing: string,
  use: Parameters<typeof import('ext2fs').withMountedDisk<T>>[2],
): Promise<T> {
  if (!(await hasExtFileSystem(disk))) {
    throw new CalveError(
      'invalid',
      `${doing}: no ext2, ext3 or ext4 file system begins at byte 0 of the disk`,
    );
  }
  // Loaded here alone: a WebAssembly module that most commands never need.
  const { withMountedDisk } = await import('ext2fs');
  // The library reports a failed device call as a bare EIO; the reason is kept here for the error's cause.
  let reason: unknown;
  const guarded = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      reason ??= error;
      throw error;
    }
  };
  const device = {
    read: async (buffer: Uint8Array, start: number, length: number, offset: number) => {
      await guarded(disk.read(buffer.subarray(start, start + length), offset));
      return { bytesRead: length, buffer };
    },
    write: async (buffer: Uint8Array, start: number, length: number, offset: number) => {
      await guarded(write(buffer.subarray(start, start + length), offset));
      return { bytesWritten: length, buffer };
    },
    discard: async () => {},
    flush: async () => {},
  };
  try {
    return await withMountedDisk(device, 0, use);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CalveError('io', `${doing}: ${message}`, { cause: reason ?? error });
  }
}
