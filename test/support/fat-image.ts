import { truncate, writeFile } from 'node:fs/promises';
import { succeed } from './programs.ts';

/** mtools takes names and times as the machine has them, and asks nobody. */
const ENV = { LC_ALL: 'C.UTF-8', TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' };

/** Makes a file system in a file by `mkfs.fat` with these options. */
export async function makeFatImage(image: string, size: number, options: readonly string[]): Promise<void> {
  await writeFile(image, '');
  await truncate(image, size);
  await succeed('mkfs.fat', ['--invariant', ...options, image]);
}

/** Runs a program of mtools on an image. */
export async function mtools(
  program: 'mcopy' | 'mmd' | 'mdel' | 'mattrib',
  image: string,
  ...args: string[]
): Promise<void> {
  await succeed(program, ['-i', image, ...args], { env: ENV });
}

/** fsck.fat must have nothing to say about an image but its own version and how much is in use. */
export async function checkFat(image: string): Promise<void> {
  const printed = await succeed('fsck.fat', ['-n', image]);
  if (!/^fsck\.fat .*\n.*: \d+ files, \d+\/\d+ clusters\n$/.test(printed)) throw new Error(printed);
}
