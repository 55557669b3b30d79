import { readFileSync } from 'node:fs';
import { packageFile } from './package-file.ts';

/** The version of this package: `0.1.0`. */
export function packageVersion(): string {
  const text = readFileSync(packageFile('package.json'), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}
