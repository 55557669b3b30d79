import { readFile } from 'node:fs/promises';
import { systemError } from '../errors/index.ts';

/** A small file's text. @throws CalveError `not-found`, `denied`, `io` */
export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw systemError(`cannot read ${path}`, error);
  }
}
