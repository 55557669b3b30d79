import { CalveError } from '../../../errors/index.ts';
import { runE2fsprogs } from './run-e2fsprogs.ts';

/**
 * Has debugfs do one command, which may have line ends in its words. Words of a process are text in Node, which would
 * lose bytes; the shell makes bytes of the digits that it is given.
 */
export async function requestDebugfs(
  image: string,
  command: Buffer,
  signal: AbortSignal | undefined,
): Promise<void> {
  const digits = Array.from(command, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const line = `exec debugfs -w -R "$(printf '${digits}')" "$1"`;
  const { said } = await runE2fsprogs('/bin/sh', ['-c', line, 'sh', image], signal);
  const complaint = said.replace(/^debugfs \d[^\n]*(\n|$)/, '').trim();
  if (complaint !== '') throw new CalveError('io', `debugfs could not name a file: ${complaint}`);
}
