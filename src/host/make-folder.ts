import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, systemError } from '../errors/index.ts';
import { statFile } from './file-stat.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Makes a folder, and those above it that are missing; durable when it returns. Does nothing where it is there.
 *
 * Not `mkdir` with `recursive`: under /proc, where a folder that exists refuses with ENOENT, Node tries for ever.
 * @throws CalveError `exists` when something else has the name; `not-found`, `denied`, `no-space`, `io`
 */
export async function makeFolder(path: string): Promise<void> {
  if (statFile(path)?.kind === 'folder') return;
  const parent = dirname(path);
  if (statFile(parent) === undefined) await makeFolder(parent);
  try {
    await mkdir(path);
  } catch (error) {
    // Somebody may have made it meanwhile.
    if (errnoOf(error) === 'EEXIST' && statFile(path)?.kind === 'folder') return;
    throw systemError(`cannot make the folder ${path}`, error);
  }
  await syncFolder(parent);
}
