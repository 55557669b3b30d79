import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startNode } from '../test/support/node.ts';
import { type Program, type Running, report, start } from '../test/support/programs.ts';

/** A server that runs. */
export interface NbdServing {
  /** As clients want it. */
  readonly uri: string;
  end(): Promise<void>;
}

/** What is served, and how. */
export interface Serving {
  readonly image: string;
  readonly format: 'qcow2' | 'raw';
  readonly writable: boolean;
}

/** Calve's own server. */
export async function serveByCalve(path: string, { image, format, writable }: Serving): Promise<NbdServing> {
  const program = fileURLToPath(new URL('nbd-server.ts', import.meta.url));
  const running = startNode(program, [path, image, format, writable ? 'write' : 'read']);
  await Promise.race([once(running.child.stdout ?? running.child, 'data'), failure(running)]);
  return serving(path, running, () => running.child.stdin?.end());
}

export function serveByQemu(path: string, { image, format, writable }: Serving): Promise<NbdServing> {
  const access = writable ? [] : ['--read-only'];
  return serveBy('qemu-nbd', path, [...access, '-t', '-e', '0', '-f', format, '-k', path, image]);
}

/** Serves a raw file. */
export function serveByNbdkit(path: string, { image, writable }: Serving): Promise<NbdServing> {
  return serveBy('nbdkit', path, ['-f', ...(writable ? [] : ['-r']), '-U', path, 'file', image]);
}

async function serveBy(program: Program, path: string, args: string[]): Promise<NbdServing> {
  await rm(path, { force: true });
  const running = start(program, args);
  const failed = failure(running);
  while (!existsSync(path)) await Promise.race([pause(20), failed]);
  return serving(path, running, () => running.child.kill('SIGTERM'));
}

/** Rejects when the program ends. */
function failure(running: Running): Promise<never> {
  const failed = running.ended.then((ran) => {
    throw new Error(report(ran));
  });
  failed.catch(() => {});
  return failed;
}

function serving(path: string, running: Running, stop: () => void): NbdServing {
  return {
    uri: `nbd+unix:///?socket=${path}`,
    async end() {
      stop();
      await running.ended;
    },
  };
}
