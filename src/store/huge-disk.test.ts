import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { MiB, noise, storeScene } from '../../test/support/store-scene.ts';

const GiB = 2 ** 30;
const TiB = 2 ** 40;
const CHANGES = 10;
const BYTES = noise('huge', 2 * MiB);

/** What some work read of files, in bytes, and its processor time in seconds, as the kernel counts them. */
interface Cost {
  readonly bytes: number;
  readonly seconds: number;
}

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const [bytes, used] = [await bytesRead(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(used);
  return { bytes: (await bytesRead()) - bytes, seconds: (user + system) / 1e6 };
}

/** Bytes that this process asked the kernel for until now (proc_pid_io(5)). */
async function bytesRead(): Promise<number> {
  return Number(/^rchar: (\d+)$/m.exec(await readFile('/proc/self/io', 'latin1'))?.[1]);
}

/** What it costs to look at 10 MiB of changes, commit them, and compare the versions, on a disk of this size. */
async function costs(size: number): Promise<Readonly<Record<'status' | 'commit' | 'diff', Cost>>> {
  await using scene = await storeScene();
  const { store } = scene;
  const base = { [size / 2]: BYTES.subarray(MiB) };
  await store.versions.import(await scene.rawDisk('disk.raw', size, base), { ref: 'disk' });
  await store.envs.create('disk', { name: 'work' });
  await using disk = await store.envs.openDisk('work', { writable: true });
  for (let at = 0; at < CHANGES; at += 1)
    await disk.write(BYTES.subarray(at * 512, at * 512 + MiB), (at * size) / 16);
  await disk.close();
  const status = await costOf(() => store.envs.status('work'));
  const commit = await costOf(() => store.envs.commit('work'));
  const diff = await costOf(() => Array.fromAsync(store.versions.diffBlocks('disk')));
  return { status, commit, diff };
}

test('status, commit and diff cost what was changed: on 1 TiB what they cost on 1 GiB', async (t) => {
  await costs(GiB); // loads the code
  const [small, huge] = [await costs(GiB), await costs(TiB)];
  for (const what of ['status', 'commit', 'diff'] as const) {
    const { bytes, seconds } = huge[what];
    const more = bytes - small[what].bytes;
    t.diagnostic(
      `${what}: ${(bytes / MiB).toFixed(1)} MiB read, ${(more / MiB).toFixed(1)} more than on 1 GiB; ${seconds} s`,
    );
    // A disk that is a thousand times as large has longer L1 tables, and its changes lie in more L2 tables.
    assert.ok(more < 4 * MiB, `${what} read ${more} bytes more`);
    assert.ok(bytes < 4 * CHANGES * MiB + 4 * MiB, `${what} read ${bytes} bytes`);
    assert.ok(seconds < 1, `${what} took ${seconds} s`);
  }
});
