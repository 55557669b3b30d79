import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import type { BlockDifference } from './index.ts';

const BLOCK = 4096;

/** What differs between two disks, found by reading them whole through QEMU. */
async function bruteForce({ path }: StoreScene, a: string, b: string): Promise<BlockDifference[]> {
  const [left, right] = await Promise.all(
    [a, b].map(async (image, at) => {
      const raw = path(`brute-${at}.raw`);
      await succeed('qemu-img', ['convert', '-U', '-f', 'qcow2', '-O', 'raw', image, raw]);
      return readFile(raw);
    }),
  );
  assert.ok(left && right);
  const size = Math.max(left.length, right.length);
  const [x, y] = [left, right].map((bytes) => Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]));
  assert.ok(x && y);
  const zeros = Buffer.alloc(BLOCK);
  const found: BlockDifference[] = [];
  for (let offset = 0; offset < size; offset += BLOCK) {
    const [was, is] = [x.subarray(offset, offset + BLOCK), y.subarray(offset, offset + BLOCK)];
    if (was.equals(is)) continue;
    const kind = zeros.equals(was) ? 'added' : zeros.equals(is) ? 'removed' : 'changed';
    const last = found.at(-1);
    if (last?.kind === kind && last.offset + last.length === offset) {
      found[found.length - 1] = { ...last, length: last.length + BLOCK };
    } else found.push({ offset, length: BLOCK, kind });
  }
  return found;
}

test('a diff finds what reading both disks finds: between versions, envs, other branches, other sizes', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('disk.raw', 4 * MiB, {
    0: noise('a', 300_000),
    [2 * MiB]: noise('b', MiB),
  });
  await store.versions.import(raw, { ref: 'base' });
  await store.envs.create('base', { name: 'left' });
  await store.envs.create('base', { name: 'right' });
  const [left, right] = [await store.envs.path('left'), await store.envs.path('right')];
  await qemuIo(left, ['write -P 1 1M 5k', 'write -z 2M 64k', 'write -P 2 3M 4k']);
  await store.envs.commit('left', { ref: 'l1' });
  await qemuIo(left, ['write -P 3 1M 4k', 'discard 128k 64k']);
  await store.envs.commit('left', { ref: 'l2' });
  await writeEnv(store, 'left', 10_000, noise('left', 9000));
  await succeed('qemu-img', ['resize', '-q', '-f', 'qcow2', right, '6M']);
  await qemuIo(right, ['write -P 4 5M 8k', 'write -P 1 1M 5k']);
  await store.envs.commit('right', { ref: 'r1' });
  // Shrunk below what the base has, then grown again: what was cut off reads zeros.
  await succeed('qemu-img', ['resize', '-q', '--shrink', '-f', 'qcow2', right, '2560k']);
  await store.envs.commit('right', { ref: 'r2' });
  await succeed('qemu-img', ['resize', '-q', '-f', 'qcow2', right, '4M']);
  await store.envs.commit('right', { ref: 'r3' });

  const targets = ['base', 'l1', 'l2', 'r1', 'r2', 'r3', 'left', 'right'];
  const pathOf = async (target: string): Promise<string> =>
    target === 'left' || target === 'right' ? store.envs.path(target) : store.versions.path(target);
  for (const [at, a] of targets.entries()) {
    const b = targets[(at * 3 + 1) % targets.length] ?? 'base';
    const found = await Array.fromAsync(store.versions.diffBlocks(a, b));
    assert.deepEqual(found, await bruteForce(scene, await pathOf(a), await pathOf(b)), `${a} ${b}`);
  }
  // Alone, an env is compared with its version and a version with its parent.
  const changes = await Array.fromAsync(store.versions.diffBlocks('left'));
  assert.deepEqual(changes, await bruteForce(scene, await pathOf('l2'), left));
  const alone = await Array.fromAsync(store.versions.diffBlocks('l2'));
  assert.deepEqual(alone, await bruteForce(scene, await pathOf('l1'), await pathOf('l2')));
  assert.deepEqual(await Array.fromAsync(store.versions.diffBlocks('l1', 'l1')), []);
  await refused(store.versions.diffBlocks('base').next(), 'usage', /has no parent to compare it with/);
});

test('only what the chains do not share is read', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('disk.raw', 64 * MiB, { 0: noise('a', 8 * MiB) });
  await store.versions.import(raw, { ref: 'base' });
  await store.envs.create('base', { name: 'work' });
  await writeEnv(store, 'work', 5 * MiB, noise('b', 100));
  let read = 0;
  const onProgress = ({ done }: { done: number }): void => {
    read = done;
  };
  const found = await Array.fromAsync(store.versions.diffBlocks('work', undefined, { onProgress }));
  assert.deepEqual(found, [{ kind: 'changed', offset: 5 * MiB, length: 4096 }]);
  assert.equal(read, 65_536);
  await store.envs.commit('work');
  await Array.fromAsync(store.versions.diffBlocks('base~', 'base', { onProgress }));
  assert.equal(read, 65_536);
});
