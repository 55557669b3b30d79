import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { start } from './programs.ts';
import { temporaryFolder } from './temporary.ts';

/** A system call that is to fail. */
export interface Injection {
  readonly syscall: string;
  /** `EIO` */
  readonly error: string;
  /** Which call, counted from 1 in each thread. */
  readonly when: number;
  /** Only calls on these paths fail, and are counted. */
  readonly paths?: readonly string[];
}

/** strace's options for it. */
export function injectionOptions({ syscall, error, when, paths = [] }: Injection): string[] {
  const inject = `inject=${syscall}:error=${error}:when=${when}`;
  return ['-f', '-y', '-e', `trace=${syscall}`, '-e', inject, ...paths.flatMap((path) => ['-P', path])];
}

/**
 * Has a running process do something while the call fails: the kernel is not asked, and answers with the error.
 * @returns what `action` does, and the calls that failed, as strace writes them
 */
export async function withInjection<T>(
  pid: number,
  injection: Injection,
  action: () => Promise<T>,
): Promise<{ readonly result: T; readonly failed: string[] }> {
  await using folder = await temporaryFolder();
  const log = folder.join('log');
  const strace = start('strace', [...injectionOptions(injection), '-o', log, '-p', String(pid)]);
  try {
    const ended = strace.ended.then(({ stderr }) => {
      throw new Error(`strace ended: ${stderr}`);
    });
    while (!strace.stderr().includes('attached')) {
      await Promise.race([once(strace.child.stderr ?? strace.child, 'data'), ended]);
    }
    ended.catch(() => {});
    const result = await action();
    strace.child.kill('SIGINT');
    await strace.ended;
    const lines = (await readFile(log, 'utf8')).split('\n');
    return { result, failed: lines.filter((line) => line.includes('(INJECTED)')) };
  } finally {
    strace.child.kill('SIGKILL');
  }
}
