import { spawn } from 'node:child_process';
import { CalveError, errnoOf, systemError } from '../errors/index.ts';

/** How qemu-img is run. */
export interface QemuImgOptions {
  /** What it is run for, for errors: `cannot read disk.vdi as vdi`. */
  readonly doing: string;
  /** An open file that it finds at `/proc/self/fd/3`. */
  readonly fd?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told the percentage that it prints with `-p`. */
  readonly onPercent?: ((percent: number) => void) | undefined;
}

/**
 * Runs qemu-img, without a shell, to its end.
 * @throws CalveError `unsupported` where it is not installed; `aborted`, once it is dead; `no-space`, `invalid` with the
 *   last line that it said
 */
export async function runQemuImg(args: readonly string[], options: QemuImgOptions): Promise<void> {
  const { doing, fd, signal, onPercent } = options;
  const child = spawn('qemu-img', args, {
    stdio: ['ignore', 'pipe', 'pipe', ...(fd === undefined ? [] : [fd])],
    env: { ...process.env, LC_ALL: 'C' },
  });
  const kill = (): boolean => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill);
  if (signal?.aborted) kill();
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const percent = /.*\((\d+\.\d+)\/100%\)/s.exec(chunk.toString('latin1'))?.[1];
    if (percent !== undefined) onPercent?.(Number(percent));
  });
  // Its last words are what counts, however much it says.
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-MOST_SAID);
  });
  try {
    const ended = await new Promise<string | undefined>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, killer) => resolve(code === 0 ? undefined : (killer ?? `exit ${code}`)));
    });
    if (signal?.aborted) throw new CalveError('aborted', `${doing}: aborted`, { cause: signal.reason });
    if (ended !== undefined) throw failed(doing, said.trim().split('\n').at(-1) || ended);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw systemError(doing, error);
    throw new CalveError('unsupported', `${doing}: qemu-img, which does that, is not installed`, {
      hint: 'apt-get install qemu-utils (Debian, Ubuntu), dnf install qemu-img (Fedora)',
      cause: error,
    });
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

const MOST_SAID = 4096;

function failed(doing: string, lastLine: string): CalveError {
  const code = lastLine.includes('No space left on device') ? 'no-space' : 'invalid';
  return new CalveError(code, `${doing}: ${lastLine}`);
}
