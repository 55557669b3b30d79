import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CalveError, errnoOf } from '../../errors/index.ts';

/**
 * What `qemu-img check` says of an image with its chain below it; undefined where it is not installed.
 * @throws CalveError `corrupt` with QEMU's own words when it finds anything
 */
export async function checkWithQemu(path: string): Promise<string | undefined> {
  try {
    return (await promisify(execFile)('qemu-img', ['check', '-f', 'qcow2', path])).stdout.trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CalveError('corrupt', `qemu-img check ${path}: ${reason}`, { cause: error });
  }
}
