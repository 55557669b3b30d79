import { spawn } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Runs a command line by the qemu-img that is installed, under this program's name; resolves to its exit code, or to
 * undefined when there is none.
 */
export async function handOver(words: readonly string[], program: string): Promise<number | undefined> {
  const path = installedQemuImg();
  if (path === undefined) return undefined;
  const child = spawn(path, words, { argv0: program, stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
  });
}

/** The first qemu-img of the path that is not this program by another name. */
function installedQemuImg(): string | undefined {
  const own = realpathSync(process.argv[1] ?? process.execPath);
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders
    .map((folder) => join(folder, 'qemu-img'))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return realpathSync(path) !== own;
      } catch {
        return false;
      }
    });
}
