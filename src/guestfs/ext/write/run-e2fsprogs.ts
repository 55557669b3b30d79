import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter } from 'node:path';
import { CalveError, errnoOf, systemError } from '../../../errors/index.ts';

/** Debian keeps system programs outside an ordinary user's PATH. */
const PATH: string = [process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(delimiter);
/** The shell stands for what it executes. */
type Program = 'debugfs' | 'e2fsck' | '/bin/sh';
/** What is kept of what a program says. */
const MOST_SAID = 16_384;

/** Starts a program of e2fsprogs. @throws CalveError `unsupported` where it is not installed */
export async function startE2fsprogs(
  program: Program,
  args: readonly string[],
  stdio: SpawnOptions['stdio'],
): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio, env: { ...process.env, PATH, LC_ALL: 'C' } });
  try {
    await once(child, 'spawn');
    return child;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw systemError(`cannot run ${program}`, error);
    throw new CalveError(
      'unsupported',
      `writing into ext2, ext3 and ext4 takes ${program} of e2fsprogs, which is not installed`,
      { hint: 'apt-get install e2fsprogs (Debian, Ubuntu), dnf install e2fsprogs (Fedora)', cause: error },
    );
  }
}

/**
 * Runs a program to its end. Resolves to what it said on both outputs, and its exit code.
 * @throws CalveError `unsupported` where it is not installed; `aborted`, once it is dead
 */
export async function runE2fsprogs(
  program: Program,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly said: string; readonly code: number }> {
  const child = await startE2fsprogs(program, args, ['ignore', 'pipe', 'pipe']);
  const kill = (): boolean => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  // It may have come while the program was started.
  if (signal?.aborted === true) kill();
  let said = '';
  const note = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(0, MOST_SAID);
  };
  child.stdout?.on('data', note);
  child.stderr?.on('data', note);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (signal?.aborted === true) throw new CalveError('aborted', `${program} was ended`);
    return { said, code: code ?? 255 };
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}
