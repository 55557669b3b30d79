import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemError } from '../errors/index.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Renames a file or folder and makes that durable. What the file holds must be synced before.
 *
 * The name moves at one instant: a crash leaves it at one place, or (across folders, on some file systems) at
 * both, never at neither.
 * @throws CalveError `not-found`; `exists` for a folder that is not empty; `denied`, `no-space`, `io`
 */
export async function renameDurably(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    throw systemError(`cannot rename ${from} to ${to}`, error);
  }
  // The new name first: were only the old folder durable, a crash could lose both names.
  await syncFolder(dirname(to));
  if (dirname(from) !== dirname(to)) await syncFolder(dirname(from));
}
