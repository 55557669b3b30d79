import { rm } from 'node:fs/promises';
import { openFile } from '../host/index.ts';
import { type EmptyImageOptions, layOutEmptyImage } from './empty-image.ts';

/** How a new image is made. */
export interface CreateOptions extends EmptyImageOptions {
  /** The file is durable when the promise resolves, though not yet its name in the folder (default true). */
  readonly sync?: boolean;
}

/**
 * Makes an image that reads as its backing file, or as zeros. The backing file is not opened. After an error there is no
 * file.
 * @throws CalveError `exists`, `out-of-range`, `usage`, `no-space`, `io`
 *
 * @example
 * await createQcow2('disk.qcow2', { size: 10 * 1024 ** 3 });
 */
export async function createQcow2(path: string, options: CreateOptions): Promise<void> {
  const { length, parts } = layOutEmptyImage(options);
  await using file = await openFile(path, { create: true });
  try {
    await file.truncate(length);
    for (const { offset, bytes } of parts) await file.write(bytes, offset);
    if (options.sync !== false) await file.sync();
  } catch (error) {
    // The name was free, and half an image is no use to anybody.
    await rm(path, { force: true });
    throw error;
  }
}
