import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { lockImage, openFile } from '../host/index.ts';
import type { DataFilePolicy, DataFileRequest } from './data-file-policy.ts';

/**
 * Opens the data file that an image names, for images that are trusted. A relative name starts from the image's folder, as
 * a backing file's does; QEMU 7.2 starts from the folder in which it runs, which means the same to an image that is used
 * where it lies. Only files: `json:` and protocol names are refused (trap 11). So is a name that leads back to an image
 * of the chain, whose tables the guest would write.
 */
export function followDataFile(
  options: {
    /** Called with the file's path before it is opened; throws for one that must not be. */
    readonly allow?: (path: string) => Promise<void>;
  } = {},
): DataFilePolicy {
  return async (request) => {
    const path = dataFilePath(request);
    await options.allow?.(path);
    await refuseImages(request, path);
    const file = await openFile(path, { writable: request.writable });
    try {
      if (request.lock) lockImage(file, request.writable ? 'write' : 'read');
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  };
}

function dataFilePath({ imagePath, dataFile }: DataFileRequest): string {
  if (dataFile === undefined) {
    throw new CalveError('invalid', `${imagePath}: expected the name of its data file, got none`, {
      data: { imagePath },
    });
  }
  // As QEMU tells them apart: a colon ahead of any slash ends a protocol's name.
  const protocol = /^[^/:]*(?=:)/.exec(dataFile)?.[0];
  if (protocol !== undefined) {
    const name = JSON.stringify(dataFile);
    throw new CalveError('denied', `${imagePath}: expected a file as data file, got ${name}`, {
      data: { imagePath, dataFile, protocol },
    });
  }
  return resolve(dirname(imagePath), dataFile);
}

async function refuseImages({ imagePath, ancestors }: DataFileRequest, path: string): Promise<void> {
  const resolved = await realpath(path).catch((cause: unknown) => {
    throw new CalveError('not-found', `${imagePath}: its data file is not at ${path}`, {
      cause,
      data: { imagePath, dataFile: path },
    });
  });
  if (!ancestors.includes(resolved)) return;
  throw new CalveError('invalid', `${imagePath}: its data file is an image of its own chain, ${resolved}`, {
    data: { imagePath, dataFile: resolved },
  });
}
