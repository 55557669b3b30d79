import { rm } from 'node:fs/promises';
import { CalveError } from '../../errors/index.ts';
import { type HostFile, lockImage, openFile } from '../../host/index.ts';
import type { Preallocation } from './image-options.ts';
import { reserveStorage } from './reserve-storage.ts';

/** How a data file is made. */
export interface DataFileOptions {
  /** Bytes: those of the virtual disk. */
  readonly size: number;
  readonly preallocation: Preallocation;
  /** Whether a file of this name loses what it holds; else it is in the way. */
  readonly overwrite: boolean;
  readonly sync: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes an external data file (specification, "Header extensions", external data file name): zeros, as many as the
 * disk has bytes. After an error there is no file that was not there before.
 * @param image the file that is going to name it
 * @throws CalveError `exists`, `in-use`, `denied`, `no-space`, `io`; `out-of-range` when it is the image itself
 */
export async function createDataFile(path: string, image: HostFile, options: DataFileOptions): Promise<void> {
  const { file, isNew } = await openDataFile(path, image, options.overwrite);
  await using opened = file;
  try {
    if (!isNew) await opened.truncate(0);
    await opened.truncate(options.size);
    await reserveStorage(opened, 0, options.size, options.preallocation, options.signal);
    if (options.sync) await opened.sync();
  } catch (error) {
    if (isNew) await rm(path, { force: true });
    throw error;
  }
}

async function openDataFile(
  path: string,
  image: HostFile,
  overwrite: boolean,
): Promise<{ file: HostFile; isNew: boolean }> {
  try {
    return { file: await openFile(path, { create: true }), isNew: true };
  } catch (error) {
    if (!CalveError.is(error, 'exists')) throw error;
    if (!overwrite) {
      throw new CalveError('exists', `dataFile: ${path} is there already`, {
        cause: error,
        hint: 'choose another name, or say overwriteDataFile to lose what it holds',
        data: { option: 'dataFile', path },
      });
    }
  }
  const file = await openFile(path, { writable: true });
  try {
    const [data, own] = [file.stat(), image.stat()];
    if (data.device === own.device && data.inode === own.inode) {
      throw new CalveError('out-of-range', `dataFile: expected another file than the image, got ${path}`, {
        data: { option: 'dataFile', path },
      });
    }
    lockImage(file, 'write');
    return { file, isNew: false };
  } catch (error) {
    await file.close();
    throw error;
  }
}
