import { CalveError } from '../errors/index.ts';

/** Bytes: four times what Linux opens. */
const LONGEST_PATH = 16_384;

/**
 * Bounds how deep a walk goes, which keeps the path of each directory on its way: a hostile chain of directories would
 * fill memory with them.
 * @throws CalveError `unsupported`
 */
export function checkPathLength(bytes: number): void {
  if (bytes <= LONGEST_PATH) return;
  throw new CalveError('unsupported', `directories lie deeper than a path of ${LONGEST_PATH} bytes tells`);
}
