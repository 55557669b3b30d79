import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { openStore, type Store } from '../../src/store/index.ts';
import { run, succeed } from '../support/programs.ts';
import { qemuImgCheck, qemuImgCompare } from '../support/qemu.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../support/store-scene.ts';

/** A version of two layers, and an env with changes on it. */
async function filledScene(): Promise<StoreScene> {
  const scene = await storeScene();
  const { store } = scene;
  await store.versions.import(await scene.rawDisk('base.raw', 2 * MiB, { 0: noise('base', 200_000) }), {
    ref: 'disk:1',
  });
  await store.envs.create('disk:1', { name: 'work' });
  await writeEnv(store, 'work', MiB, noise('one', 70_000));
  await store.envs.commit('work', { ref: 'disk:2' });
  await writeEnv(store, 'work', 300_000, noise('two', 70_000));
  return scene;
}

test('QEMU opens every layer and env in place, with its whole chain', async () => {
  await using scene = await filledScene();
  const { store, context } = scene;
  const { layers } = await store.versions.get('disk:2');
  assert.equal(layers.length, 2);
  for (const [at, { digest }] of layers.entries()) {
    const path = context.layout.blob(digest);
    await qemuImgCheck(path);
    assert.equal(await chainLength(path), at + 1);
  }
  assert.equal(await chainLength(await store.envs.path('work')), 3);
  const flat = scene.path('flat.raw');
  await store.versions.export('work', flat, { format: 'raw' });
  await qemuImgCompare(flat, 'raw', await store.envs.path('work'), 'qcow2');
});

test('skopeo copies a version to another layout, digests kept, which is a store with that version', async () => {
  await using scene = await filledScene();
  const copy = scene.path('copied');
  const [from, to] = [`oci:${scene.store.folder}:disk:2`, `oci:${copy}:disk:2`];
  await succeed('skopeo', ['copy', '--quiet', '--all', '--preserve-digests', from, to]);
  const there = await openStore(copy);
  // skopeo 1.9 leaves the artifact's type out of the index, by which calve tells its own refs from others.
  const { digest, layers, message } = await scene.store.versions.get('disk:2');
  await there.refs.set('here:2', digest);
  const found = await there.versions.get('here:2');
  assert.deepEqual([found.digest, found.layers, found.message], [digest, layers, message]);
  // Its files may be written, as far as their modes go; nothing else is wrong.
  assert.ok((await there.fsck()).problems.every(({ kind }) => kind === 'blob-writable'));
  await there.repair();
  assert.deepEqual((await there.fsck()).problems, []);
  await scene.store.refs.set('here:2', digest);
  await sameDisk(scene, scene.store, there, 'here:2');
  // What has no meaning for an artifact that is no container image (docs/store-format.md).
  const inspected = await run('skopeo', ['inspect', from]);
  assert.match(inspected.stderr, /unsupported image-specific operation on artifact/);
});

const copiers = {
  cp: (from: string, to: string) => succeed('cp', ['-a', from, to]),
  rsync: (from: string, to: string) => succeed('rsync', ['-a', `${from}/`, to]),
};
for (const [program, copy] of Object.entries(copiers)) {
  test(`a store that ${program} copied works elsewhere, alone`, async () => {
    await using scene = await filledScene();
    const [folder, elsewhere] = [scene.store.folder, scene.path('elsewhere')];
    await copy(folder, elsewhere);
    const there = await openStore(elsewhere, { create: false });
    await sameDisk(scene, scene.store, there, 'work');
    await succeed('mv', [folder, `${folder}.gone`]);
    assert.equal(await chainLength(await there.envs.path('work')), 3);
    const { version } = await there.envs.commit('work', { message: 'elsewhere' });
    assert.equal(version.layers.length, 3);
    assert.deepEqual((await there.fsck()).problems, []);
    assert.deepEqual(await readdir(scene.path('elsewhere/tmp')), []);
  });
}

async function sameDisk(scene: StoreScene, a: Store, b: Store, target: string): Promise<void> {
  const files = [scene.path('a.raw'), scene.path('b.raw')] as const;
  await a.versions.export(target, files[0], { format: 'raw', force: true });
  await b.versions.export(target, files[1], { format: 'raw', force: true });
  await qemuImgCompare(files[0], 'raw', files[1], 'raw');
}

async function chainLength(path: string): Promise<number> {
  return JSON.parse(await succeed('qemu-img', ['info', '--backing-chain', '--output', 'json', path])).length;
}
