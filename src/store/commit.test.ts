import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { contentOf } from '../../test/support/disk-content.ts';
import { succeed } from '../../test/support/programs.ts';
import { qemuImgCheck, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { shortDigest } from '../oci/index.ts';

async function filled(): Promise<StoreScene> {
  const scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
  return scene;
}

test('a commit holds what the env read, and the env goes on from there', async () => {
  await using scene = await filled();
  const { store } = scene;
  const overlay = await store.envs.path('work');
  await qemuIo(overlay, ['write -P 7 64k 64k', 'write -z 0 64k', 'write -P 0 512k 64k']);
  const content = await contentOf(store.envs.openDisk('work'));
  const { version, ref, summary } = await store.envs.commit('work', { message: 'by QEMU' });
  assert.equal(ref, 'base:latest');
  assert.equal(version.message, 'by QEMU');
  assert.deepEqual(version.made, { command: 'commit', from: 'work' });
  assert.deepEqual(version.refs, ['base:latest']);
  assert.equal(summary.zeroClusters, 1);
  assert.equal(await contentOf(store.versions.openDisk('base')), content);
  assert.equal(await contentOf(store.envs.openDisk('work')), content);
  assert.equal((await store.envs.status('work')).changedClusters, 0);
  assert.equal((await store.envs.get('work')).version, version.digest);
  await qemuImgCheck(overlay);
  await qemuIo(overlay, ['read -P 7 64k 64k', 'read -P 0 0 64k']);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('nothing to commit is told, also where what was written is what was there', async () => {
  await using scene = await filled();
  const { store, context } = scene;
  const before = await readdir(context.layout.blobs);
  await refused(store.envs.commit('idle'), 'unchanged', /environment idle has changed nothing since version/);
  await writeEnv(store, 'idle', 0, noise('base', 70_000));
  await qemuIo(await store.envs.path('idle'), ['write -z 512k 64k']);
  assert.equal((await store.envs.status('idle')).changedClusters, 3);
  await refused(store.envs.commit('idle'), 'unchanged');
  assert.deepEqual(await readdir(context.layout.blobs), before);
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('a ref that moved under the env is not overwritten; another one may be made', async () => {
  await using scene = await filled();
  const { store } = scene;
  await writeEnv(store, 'idle', 0, noise('idle', 10));
  const first = await store.envs.commit('idle');
  const { digest: base } = await store.versions.get('base~1');
  const error = await refused(store.envs.commit('work'), 'diverged', /base:latest is version/);
  assert.ok(error.message.includes(shortDigest(first.version.digest)));
  assert.ok(error.message.includes(shortDigest(base)));
  assert.equal(error.hint, 'calve commit work -t NEW-REF');
  await refused(store.envs.commit('work', { ref: 'base' }), 'diverged');
  const forked = await store.envs.commit('work', { ref: 'fork' });
  assert.deepEqual(forked.version.parents, [base]);
  assert.equal((await store.envs.get('work')).ref, 'fork:latest');
  await writeEnv(store, 'work', 0, noise('more', 10));
  assert.equal((await store.envs.commit('work')).ref, 'fork:latest');
  assert.equal((await store.refs.get('base')).version, first.version.digest);
});

test('a tracked ref that was removed is not made anew unasked; an env without a ref commits without one', async () => {
  await using scene = await filled();
  const { store } = scene;
  await store.refs.set('kept', 'base');
  await store.refs.remove('base');
  await refused(
    store.envs.commit('work'),
    'diverged',
    /the ref base:latest, which environment work tracks, was removed/,
  );
  assert.equal((await store.envs.commit('work', { ref: 'base' })).ref, 'base:latest');
  const [env] = await store.envs.create('kept~0', { name: 'loose' });
  assert.equal(env?.ref, null);
  await writeEnv(store, 'loose', 0, noise('loose', 10));
  const { version, ref } = await store.envs.commit('loose');
  assert.equal(ref, null);
  assert.deepEqual(version.refs, []);
  await store.gc({ graceDays: 0 });
  await store.versions.verify('loose@base');
});

test('of two commits onto one ref at one time one is refused, and loses nothing', async () => {
  await using scene = await filled();
  const { store } = scene;
  await writeEnv(store, 'idle', 0, noise('idle', 1000));
  const contents = new Map([
    ['work', await contentOf(store.envs.openDisk('work'))],
    ['idle', await contentOf(store.envs.openDisk('idle'))],
  ]);
  const results = await Promise.allSettled([store.envs.commit('work'), store.envs.commit('idle')]);
  assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected']);
  for (const [name, content] of contents) assert.equal(await contentOf(store.envs.openDisk(name)), content);
  assert.equal((await store.refs.history('base')).length, 2);
});

test('a disk that was resized keeps its size: growth reads zeros, and what was cut off does not come back', async () => {
  await using scene = await filled();
  const { store } = scene;
  const overlay = await store.envs.path('work');
  await succeed('qemu-img', ['resize', '-q', '-f', 'qcow2', overlay, '3M']);
  await qemuIo(overlay, ['write -P 5 2M 64k']);
  const grown = await store.envs.commit('work');
  assert.equal(grown.version.size, 3 * MiB);
  await qemuIo(overlay, ['read -P 5 2M 64k', 'read -P 0 1M 1M']);
  await succeed('qemu-img', ['resize', '-q', '--shrink', '-f', 'qcow2', overlay, '64k']);
  assert.equal((await store.envs.commit('work', { message: 'smaller' })).version.size, 65_536);
  await succeed('qemu-img', ['resize', '-q', '-f', 'qcow2', overlay, '3M']);
  const { version } = await store.envs.commit('work', { message: 'larger again' });
  const last = await store.versions.path(version.digest);
  await qemuIo(overlay, ['read -P 0 64k 960k', 'read -P 0 2M 64k']);
  await qemuImgCheck(last);
  assert.equal(
    await contentOf(store.versions.openDisk('base')),
    await contentOf(store.envs.openDisk('work')),
  );
});

test('an overlay with internal snapshots is not committed', async () => {
  await using scene = await filled();
  const { store } = scene;
  await succeed('qemu-img', ['snapshot', '-c', 'one', await store.envs.path('work')]);
  await refused(store.envs.commit('work'), 'unsupported', /its overlay has 1 internal snapshots/);
});

test('an overlay that is not on its version any more is refused and explained', async () => {
  await using scene = await filled();
  const { store } = scene;
  await writeEnv(store, 'idle', 0, noise('idle', 10));
  await store.envs.commit('idle', { ref: 'other' });
  const tip = await store.versions.path('other');
  const overlay = await store.envs.path('work');
  await succeed('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', tip, overlay]);
  await refused(
    store.envs.commit('work'),
    'corrupt',
    /backing file: expected \.\.\/\.\.\/blobs\/sha256\/[0-9a-f]{64} \(qcow2\), got /,
  );
});

test('a commit that is cut off leaves the env as it was', async () => {
  await using scene = await filled();
  const { store, context } = scene;
  const content = await contentOf(store.envs.openDisk('work'));
  const before = await readdir(context.layout.blobs);
  const controller = new AbortController();
  const commit = store.envs.commit('work', {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await refused(commit, 'aborted');
  assert.equal(await contentOf(store.envs.openDisk('work')), content);
  assert.deepEqual(await readdir(context.layout.blobs), before);
  assert.deepEqual(await readdir(context.layout.tmp), []);
  await store.envs.commit('work');
});

test('the same change committed twice is one layer', async () => {
  await using scene = await filled();
  const { store } = scene;
  await writeEnv(store, 'idle', 500_000, noise('work', 80_000));
  const one = await store.envs.commit('work', { ref: 'one' });
  const two = await store.envs.commit('idle', { ref: 'two' });
  assert.deepEqual(one.version.layers, two.version.layers);
  assert.notEqual(one.version.digest, two.version.digest);
});
