import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from './cache-folder.ts';
import { succeed } from './programs.ts';

/**
 * The folder that `test/fixtures/<name>.sh FOLDER` fills: made once, kept in a cache under the hash of the script,
 * so that a changed script is run anew.
 */
export async function fixture(name: 'debian-disk' | 'guest'): Promise<string> {
  const script = fileURLToPath(new URL(`../fixtures/${name}.sh`, import.meta.url));
  const hash = createHash('sha256')
    .update(await readFile(script))
    .digest('hex')
    .slice(0, 12);
  const folder = join(cacheFolder, `${name}-${hash}`);
  if (existsSync(folder)) return folder;
  await mkdir(cacheFolder, { recursive: true });
  const make = fileURLToPath(new URL('../fixtures/make.sh', import.meta.url));
  await succeed('flock', [`${folder}.lock`, 'bash', make, script, folder], { timeout: 900_000 });
  return folder;
}
