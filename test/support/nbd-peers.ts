import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Program, report, start } from './programs.ts';

/** Somebody else's NBD server, on a unix socket. */
export interface NbdPeer extends AsyncDisposable {
  readonly socket: string;
  /** The URI of an export: the default one. */
  uri(exportName?: string): string;
  /** What it has said so far. */
  stderr(): string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Starts nbdkit with a plugin and its arguments; resolves when it listens. */
export function startNbdkit(socket: string, args: readonly string[]): Promise<NbdPeer> {
  return startPeer('nbdkit', socket, ['-f', '-U', socket, '-P', `${socket}.pid`, ...args]);
}

/** Starts qemu-nbd on an image; resolves when it listens. */
export function startQemuNbd(socket: string, args: readonly string[]): Promise<NbdPeer> {
  return startPeer('qemu-nbd', socket, ['-t', '-k', socket, '--pid-file', `${socket}.pid`, ...args]);
}

async function startPeer(program: Program, socket: string, args: readonly string[]): Promise<NbdPeer> {
  // What a server left that was killed.
  await Promise.all([socket, `${socket}.pid`].map((path) => rm(path, { force: true })));
  const running = start(program, [...args]);
  let ended = false;
  const end = running.ended.finally(() => {
    ended = true;
  });
  end.catch(() => {});
  // Both write their number when they listen, and not before.
  while (!existsSync(`${socket}.pid`) || readFileSync(`${socket}.pid`, 'utf8').trim() === '') {
    if (ended) throw new Error(report(await end));
    await sleep(5);
  }
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (!ended) running.child.kill(signal);
    await end;
  };
  return {
    socket,
    uri: (exportName = '') => `nbd+unix:///${encodeURIComponent(exportName)}?socket=${socket}`,
    stderr: () => running.stderr(),
    kill: () => stop('SIGKILL'),
    [Symbol.asyncDispose]: () => stop('SIGTERM'),
  };
}
