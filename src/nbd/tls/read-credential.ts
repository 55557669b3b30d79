import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, systemError } from '../../errors/index.ts';

/**
 * Reads a file of a folder with certificates and keys.
 * @throws CalveError `not-found`, `denied`, `io`
 */
export async function readCredential(folder: string, name: string): Promise<Buffer> {
  const path = join(folder, name);
  try {
    return await readFile(path);
  } catch (error) {
    throw systemError(`cannot read ${path}, which TLS needs`, error);
  }
}

/** Reads one that need not be there: undefined then. */
export async function readOptionalCredential(folder: string, name: string): Promise<Buffer | undefined> {
  try {
    return await readCredential(folder, name);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
