import { open } from 'node:fs/promises';
import { errnoOf, systemError } from '../errors/index.ts';

/**
 * Makes the names in a folder durable: what was created, renamed or removed there.
 *
 * Some network file systems keep names durable by themselves and know no fsync of a folder (EINVAL); that is
 * taken as done.
 * @throws CalveError `not-found`, `denied`, `io`
 */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return;
    throw systemError(`cannot sync ${path}`, error);
  }
}
