import { type Dirent, existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CalveError, systemError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { isQcow2 } from '../img/index.ts';

/** What a folder holds. */
export interface FoundFiles {
  /** Paths of the qcow2 files, sorted. */
  readonly images: readonly string[];
  /** What could not be looked into, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Every qcow2 file in a folder and the folders in it. Symbolic links are not followed: what one leads to in the folder is
 * found where it lies. Stores and other image layouts are left alone.
 * @param folder an absolute real path
 * @throws CalveError `not-found`, `denied`; `unsupported` for what is no folder; `aborted`
 */
export async function findQcow2Files(folder: string, signal?: AbortSignal): Promise<FoundFiles> {
  const images: string[] = [];
  const warnings: string[] = [];
  const waiting = [folder];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    signal?.throwIfAborted();
    if (existsSync(join(at, 'oci-layout'))) {
      warnings.push(`${at} is a store or another image layout; it was left alone`);
      continue;
    }
    const entries = await tolerant(() => listFolder(at), at === folder, warnings);
    for (const entry of entries ?? []) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile() && (await tolerant(() => beginsAsQcow2(path), false, warnings)) === true) {
        images.push(path);
      }
    }
  }
  return { images: images.sort(), warnings };
}

async function listFolder(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    throw systemError(`cannot list ${path}`, error);
  }
}

async function beginsAsQcow2(path: string): Promise<boolean> {
  await using file = await openFile(path);
  return await isQcow2(file);
}

/** What cannot be looked into is told, and does not keep the rest from being found. */
async function tolerant<T>(
  look: () => Promise<T>,
  strict: boolean,
  warnings: string[],
): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (strict || !(error instanceof CalveError)) throw error;
    warnings.push(error.message);
    return undefined;
  }
}
