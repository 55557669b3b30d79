import { mkdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CalveError } from '../../src/errors/index.ts';
import { type HostFile, openFile } from '../../src/host/index.ts';
import { succeed } from './programs.ts';
import { temporaryFolder } from './temporary.ts';

/** An ext4 file system of its own, whose room is given out to order. */
export interface SmallFileSystem extends AsyncDisposable {
  readonly path: string;
  join(...names: string[]): string;
  /** Fills it but for so many bytes, or empties it of what filled it. */
  leaveBytes(bytes: number): Promise<void>;
  /** As `leaveBytes`, for files and folders that may yet be made. */
  leaveInodes(count: number): Promise<void>;
}

/** Bytes of a block: the smallest that ext4 has, so that room runs out at as many places as can be. */
export const FS_BLOCK = 1024;
const SIZE = 32 << 20;

/** Makes one in a file and mounts that, which takes root. */
export async function smallFileSystem(options: { readonly inodes?: number } = {}): Promise<SmallFileSystem> {
  const folder = await temporaryFolder();
  const image = folder.join('image');
  const path = folder.join('mounted');
  await writeFile(image, '');
  await truncate(image, SIZE);
  await mkdir(path);
  const { inodes } = options;
  await succeed('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-b', String(FS_BLOCK), '-m', '0'],
    ...(inodes === undefined ? [] : ['-N', String(inodes)]),
    image,
  ]);
  await succeed('mount', ['-o', 'loop', image, path]);
  const filler = join(path, 'filler');
  await mkdir(filler);
  await writeFile(join(filler, 'bulk'), '');
  let files = 0;
  return {
    path,
    join: (...names) => join(path, ...names),
    async leaveBytes(bytes) {
      // What was deleted gives its room back, and what was written takes it, when the journal is committed.
      await succeed('sync', ['-f', path]);
      const { bavail, bsize } = await statfs(path);
      await using bulk = await openFile(join(filler, 'bulk'), { writable: true });
      const { size } = bulk.stat();
      const more = bavail * bsize - bytes;
      if (more < 0) await bulk.truncate(Math.max(0, size + more));
      else allocate(bulk, size, more);
      await bulk.sync();
    },
    async leaveInodes(count) {
      let { ffree } = await statfs(path);
      for (; ffree > count; ffree -= 1) await writeFile(join(filler, String(files++)), '');
      for (; ffree < count && files > 0; ffree += 1) await rm(join(filler, String(--files)));
    },
    async [Symbol.asyncDispose]() {
      await succeed('umount', [path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** As much of the range as there is room for: what tells where a file's pieces lie takes a little too. */
function allocate(file: HostFile, offset: number, length: number): void {
  for (let rest = length; rest > 0; rest -= FS_BLOCK) {
    try {
      file.allocate(offset, rest);
      return;
    } catch (error) {
      if (!CalveError.is(error, 'no-space')) throw error;
    }
  }
}
