import { readFileSync } from 'node:fs';
import { systemError } from '../errors/index.ts';

/**
 * A small file's text. Read at once: from the page cache that takes a tenth of the way through the thread pool, and
 * listings read thousands.
 * @throws CalveError `not-found`, `denied`, `io`
 */
export async function readText(path: string): Promise<string> {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw systemError(`cannot read ${path}`, error);
  }
}
