import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startNode } from '../support/node.ts';
import { finish, type Running, report, succeed } from '../support/programs.ts';
import type { TemporaryFolder } from '../support/temporary.ts';

/** What a server took. */
export interface ServerCosts {
  /** Resident, the most, KiB. */
  readonly memory: number;
  /** The longest that its event loop stood still, milliseconds. */
  readonly stoodStill: number;
}

/** A server in a process of its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly path: string;
  readonly image: string;
  /** Ends it, gracefully. */
  end(): Promise<ServerCosts>;
}

/** Serves a new qcow2 image, with so small clusters that its tables do not fit into the caches. */
export async function startServer(folder: TemporaryFolder, size: number): Promise<ServerProcess> {
  const [image, path] = [folder.join('disk.qcow2'), folder.join('socket')];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', image, String(size)]);
  const running = startNode(fileURLToPath(new URL('server-process.ts', import.meta.url)), [image, path]);
  await ready(running);
  return {
    ...{ path, image },
    async end() {
      running.child.stdin?.end();
      const ran = await finish(running);
      assert.equal(ran.code, 0, report(ran));
      assert.equal(ran.stderr, '');
      const costs: ServerCosts = JSON.parse(ran.stdout.replace('ready\n', ''));
      return costs;
    },
    async [Symbol.asyncDispose]() {
      running.child.kill('SIGKILL');
      await running.ended;
    },
  };
}

/** Resolves when a program has said `ready`. */
export async function ready(running: Running): Promise<void> {
  const failed = running.ended.then((ran) => assert.fail(report(ran)));
  failed.catch(() => {});
  while (!running.stdout().startsWith('ready\n')) {
    await Promise.race([once(running.child.stdout ?? running.child, 'data'), failed]);
  }
}
