import { rm } from 'node:fs/promises';
import { CalveError } from '../errors/index.ts';
import { openNewFile, reserveStorage } from '../qcow2/index.ts';

/** How a raw image is made. */
export interface CreateRawOptions {
  /** Bytes. */
  readonly size: number;
  /** Whether the host keeps storage for it (`falloc`), or zeros are written (`full`); default neither. */
  readonly preallocation?: 'off' | 'falloc' | 'full';
  readonly signal?: AbortSignal;
}

/**
 * Makes a file that reads zeros; what a file of this name held is lost. After an error there is none.
 * @throws CalveError `in-use`, `denied`, `unsupported`, `no-space`, `io`, `aborted`
 */
export async function createRaw(path: string, options: CreateRawOptions): Promise<void> {
  const { size, preallocation = 'off', signal } = options;
  await using file = await openNewFile(path);
  try {
    await file.truncate(size);
    await reserveStorage(file, 0, size, preallocation, signal);
  } catch (error) {
    await rm(path, { force: true });
    if (!signal?.aborted || error !== signal.reason) throw error;
    throw new CalveError('aborted', `making ${path} was aborted`, { cause: error });
  }
}
