import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CalveError } from '../../errors/index.ts';
import type { Session } from '../session.ts';

/** Tells the process that serves which descriptor the one that started it listens to. */
const VARIABLE = 'CALVE_NBD_REPORT_FD';
const REPORT_FD = 3;

/** What is said once clients can connect. */
export interface Report {
  readonly pid: number;
  /** Each place to connect to. */
  readonly uris: readonly string[];
  /** For people. */
  readonly messages: readonly string[];
}

/** In the process that `startDetached` started: gives the report to the one that waits. Undefined in any other. */
export function reporter(): ((report: Report) => void) | undefined {
  if (process.env[VARIABLE] !== String(REPORT_FD)) return undefined;
  delete process.env[VARIABLE];
  return (report) => {
    writeSync(REPORT_FD, JSON.stringify(report));
    closeSync(REPORT_FD);
  };
}

/**
 * Runs this very command line in a process of its own, which has no terminal and outlives this one. Resolves to its
 * report when clients can connect, or else to the exit code that it ended with; what it says until then is said here.
 * @throws CalveError `aborted`, after it was ended; `io`
 */
export async function startDetached(session: Session): Promise<Report | number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, [VARIABLE]: String(REPORT_FD) },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new CalveError('io', `cannot start a process: ${cause.message}`, { cause })),
    );
    // Not `exit`: what it said last must have come.
    child.once('close', (code) => resolve(code ?? 1));
  });
  const onAbort = (): void => {
    child.kill('SIGTERM');
  };
  session.signal.addEventListener('abort', onAbort, { once: true });
  child.stderr?.pipe(process.stderr, { end: false });
  const pipe = child.stdio[REPORT_FD];
  const report = pipe instanceof Readable ? text(pipe) : Promise.resolve('');
  try {
    const said = await Promise.race([report, ended.then(() => report)]);
    if (said === '') {
      const code = await ended;
      session.signal.throwIfAborted();
      return code;
    }
    return JSON.parse(said);
  } finally {
    session.signal.removeEventListener('abort', onAbort);
    child.stderr?.destroy();
    child.unref();
  }
}
