import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder that is gone, with all that is in it, when its scope ends. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string;
  join(...names: string[]): string;
}

// /tmp lies in memory on many machines; disks of gigabytes belong on a disk.
const { TMPDIR } = process.env;
const PARENT = TMPDIR ?? (existsSync('/var/tmp') ? '/var/tmp' : tmpdir());

/** A fresh folder, `await using`. */
export async function temporaryFolder(name = 'calve-test'): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(PARENT, `${name}-`));
  return {
    path,
    join: (...names) => join(path, ...names),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
