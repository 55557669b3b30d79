import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from './cache-folder.ts';
import type { Ran } from './programs.ts';
import type { Answer, Request } from './resident-main.ts';

/** What a command runs in; the folder of this process unless said. */
export interface ResidentOptions {
  readonly env: Request['env'];
  readonly cwd?: string;
  /** Milliseconds until it is given up (default two minutes). */
  readonly timeout?: number;
}

const MAIN = fileURLToPath(new URL('resident-main.ts', import.meta.url));

let resident: ChildProcess | undefined;
let isBusy = false;

/** Whether a command line could run there now; else it wants a process of its own. */
export function isResidentIdle(): boolean {
  return !isBusy;
}

/**
 * Runs a command line of calve in a process that stays, one a test file: most of what a command takes is the start of
 * Node. Each command has its own output, environment and exit code. As a process would be, it is waited for until
 * nothing goes on any more, and fails when that does not happen.
 */
export async function runResident(
  words: readonly string[],
  { env, cwd = process.cwd(), timeout = 120_000 }: ResidentOptions,
): Promise<Ran> {
  const command = ['calve', ...words].join(' ');
  const child = resident ?? startResident();
  resident = child;
  isBusy = true;
  child.channel?.ref();
  const ended = new AbortController();
  const fail = (why: string) => ended.abort(new Error(`${command}: ${why}`));
  const gone = (code: number | null) => fail(`the process of all commands ended with ${code}`);
  const timer = setTimeout(() => {
    child.kill('SIGKILL');
    fail(`not done after ${timeout} ms`);
  }, timeout);
  child.once('exit', gone);
  try {
    const answered = once(child, 'message', { signal: ended.signal });
    child.send({ words, env, cwd } satisfies Request);
    const [{ unfinished, ...ran }]: [Answer] = (await answered) as [Answer];
    if (unfinished.length > 0) throw new Error(`${command}: does not end: ${unfinished}\n${ran.stderr}`);
    return { command, signal: null, ...ran };
  } catch (error) {
    resident = undefined;
    child.kill('SIGKILL');
    throw ended.signal.aborted ? ended.signal.reason : error;
  } finally {
    clearTimeout(timer);
    child.off('exit', gone);
    child.channel?.unref();
    isBusy = false;
  }
}

/** It does not keep the process of the tests from ending, and ends with it. */
function startResident(): ChildProcess {
  const child = fork(MAIN, {
    execArgv: [],
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_COMPILE_CACHE: join(cacheFolder, 'compiled') },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.unref();
  return child;
}
