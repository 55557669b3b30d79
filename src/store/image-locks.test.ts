import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { report, run } from '../../test/support/programs.ts';
import { holdInQemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { storeScene } from '../../test/support/store-scene.ts';

test('invariant 8: while QEMU has an env open nothing changes it, and the error names the process', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  await using vm = await holdInQemuIo(await store.envs.path('work'));
  const text = new RegExp(`^environment work is in use by qemu-io \\(pid ${vm.pid}\\)$`);
  for (const use of [
    () => store.envs.commit('work'),
    () => store.envs.reset('work'),
    () => store.envs.remove('work'),
    () => store.envs.remove('work', { force: true }),
    () => store.envs.openDisk('work', { writable: true }),
    () => store.versions.export('work', scene.path('flat'), {}),
  ]) {
    const { data } = await refused(use(), 'in-use', text);
    assert.deepEqual(data['holders'], [{ pid: vm.pid, command: 'qemu-io', access: 'write' }]);
  }
  const { state, changedClusters, changedBytes } = await store.envs.status('work');
  assert.deepEqual(state, { inUse: [{ pid: vm.pid, command: 'qemu-io', access: 'write' }] });
  assert.equal(changedClusters, null);
  assert.ok(changedBytes > 80_000);
  await vm.close();
  assert.equal((await store.envs.status('work')).changedClusters, 2);
});

test('invariant 8: while calve has an env open, for a commit or otherwise, QEMU cannot open it', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const overlay = await store.envs.path('work');
  const write = () => run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 1 0 512', overlay]);
  {
    await using _disk = await store.envs.openDisk('work', { writable: true });
    const ran = await write();
    assert.notEqual(ran.code, 0);
    assert.match(report(ran), /Failed to get "write" lock/);
  }
  let during: ReturnType<typeof write> | undefined;
  await store.envs.commit('work', {
    onProgress: () => {
      during ??= write();
    },
  });
  const ran = await during;
  assert.ok(ran);
  // It came in time to be refused, or after the commit, to the new overlay.
  if (ran.code !== 0) assert.match(report(ran), /Failed to get "write" lock/);
  assert.equal((await write()).code, 0);
});

test('invariant 8: a QEMU that had opened the old overlay just before a commit finds no image there', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  await using old = await open(await store.envs.path('work'), 'r+');
  await store.envs.commit('work');
  assert.equal((await old.stat()).size, 0);
});
