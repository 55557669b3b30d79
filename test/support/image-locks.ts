import { readFile, stat } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

/** How many byte locks of open files lie on a file, as the kernel tells. */
export async function imageLocks(path: string): Promise<number> {
  const { ino } = await stat(path);
  const lines = (await readFile('/proc/locks', 'utf8')).split('\n');
  return lines.filter((line) => line.includes('OFDLCK') && line.includes(`:${ino} `)).length;
}

/**
 * Resolves when somebody has locked the image: locks are taken one after the other, so they are all there once they have been
 * the same for a while. The kernel tells nobody of a lock, so it is asked again and again.
 */
export async function untilLocked(path: string, signal: AbortSignal): Promise<void> {
  let before = 0;
  for (let same = 0; same < 4; ) {
    const now = await imageLocks(path);
    same = now > 0 && now === before ? same + 1 : 0;
    before = now;
    await setTimeout(10, undefined, { signal });
  }
}
