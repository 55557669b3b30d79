import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../../test/support/cache-folder.ts';
import { succeed } from '../../test/support/programs.ts';

const STATES = 5;
/** Half an hour: it downloads and installs a few hundred packages. */
const TIMEOUT = 1_800_000;

/** The raw files of a Debian disk in five states, made once, and anew when the script that makes them has changed. */
export async function debianSeries(): Promise<string[]> {
  const script = fileURLToPath(new URL('make-series.sh', import.meta.url));
  const hash = createHash('sha256')
    .update(await readFile(script))
    .digest('hex')
    .slice(0, 12);
  const folder = join(cacheFolder, `debian-series-${hash}`);
  if (!existsSync(folder)) {
    await mkdir(cacheFolder, { recursive: true });
    process.stderr.write(`making five states of a Debian disk in ${folder}, once: some ten minutes\n`);
    const make = fileURLToPath(new URL('../../test/fixtures/make.sh', import.meta.url));
    await succeed('flock', [`${folder}.lock`, 'bash', make, script, folder], { timeout: TIMEOUT });
  }
  return Array.from({ length: STATES }, (_, state) => join(folder, `${state + 1}.raw`));
}
