import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The bytes of all files in a folder, at any depth: what would be copied elsewhere, whatever the file system. */
export async function storedBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
