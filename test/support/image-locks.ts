import { readFile, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

/** How many byte locks of open files lie on a file, as the kernel tells. */
export async function imageLocks(path: string): Promise<number> {
  const { ino } = await stat(path);
  const lines = (await readFile('/proc/locks', 'utf8')).split('\n');
  return lines.filter((line) => line.includes('OFDLCK') && line.includes(`:${ino} `)).length;
}

/** Resolves when somebody locks the image. The kernel tells nobody of a lock, so it is asked again and again. */
export async function untilLocked(path: string, signal: AbortSignal): Promise<void> {
  while ((await imageLocks(path)) === 0) await setTimeout(2, undefined, { signal });
}
