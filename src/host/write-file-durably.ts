import { randomBytes } from 'node:crypto';
import { chmod, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemError } from '../errors/index.ts';
import { statFile } from './file-stat.ts';
import { openFile } from './open-file.ts';
import { renameDurably } from './rename-durably.ts';

/** How a file is written. */
export interface WriteOptions {
  /** Permission bits, exactly. By default those of the file that is replaced, or else 0o666 less the umask. */
  readonly mode?: number;
  /** Where the temporary file lives until it is whole; by default the target's folder. On the same file system. */
  readonly stagingFolder?: string;
}

/**
 * Puts a whole file in place, durably: whoever looks, and whenever power fails, there is the old content or the
 * new, never a part. On failure the target is as it was and the temporary file is gone.
 * @throws CalveError `not-found` (no such folder), `denied`, `no-space`, `io`
 */
export async function writeFileDurably(
  path: string,
  data: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  const mode = options.mode ?? statFile(path)?.mode;
  const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`;
  const staged = join(options.stagingFolder ?? dirname(path), name);
  try {
    const file = await openFile(staged, { create: true, mode: mode ?? 0o666 });
    try {
      await file.write(typeof data === 'string' ? Buffer.from(data) : data, 0);
      if (mode !== undefined) await chmod(staged, mode); // the umask took bits away
      await file.sync();
    } finally {
      await file.close();
    }
    await renameDurably(staged, path);
  } catch (error) {
    await rm(staged, { force: true });
    throw systemError(`cannot write ${path}`, error);
  }
}
