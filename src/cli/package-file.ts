import { fileURLToPath } from 'node:url';

/** The path of a file of this package, by its path from the package's own folder. */
export function packageFile(path: string): string {
  // From src/cli, and from dist/program, where this file's text lies once it is built.
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
