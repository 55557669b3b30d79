import assert from 'node:assert/strict';
import { appendFile, cp, link, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { errnoOf } from '../errors/index.ts';
import { isImmutable, makeMutable, openFile, setImmutable } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import { openStaging } from './staging.ts';

/** An immutable store, which can be removed again in the end. */
async function immutableScene(): Promise<StoreScene> {
  const scene = await storeScene();
  await scene.store.config.set('immutable', true);
  return {
    ...scene,
    async [Symbol.asyncDispose]() {
      await makeMutable(scene.store.folder);
      await scene[Symbol.asyncDispose]();
    },
  };
}

async function layersOf({ store }: StoreScene, ref: string): Promise<Digest[]> {
  return (await store.versions.get(ref)).layers.map((layer) => layer.digest);
}

async function frozen({ context }: StoreScene, layer: Digest): Promise<boolean> {
  await using file = await openFile(context.layout.blob(layer));
  return isImmutable(file);
}

test('layers of an immutable store are neither written, linked, renamed nor removed, and everything works', async () => {
  await using scene = await immutableScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  await store.envs.commit('work', { ref: 'upper' });
  for (const layer of await layersOf(scene, 'upper')) {
    assert.ok(await frozen(scene, layer));
    const path = context.layout.blob(layer);
    const harms = [
      () => appendFile(path, 'x'),
      () => link(path, `${path}x`),
      () => rename(path, `${path}x`),
      () => unlink(path),
    ];
    for (const harm of harms) {
      await assert.rejects(harm, (error) => errnoOf(error) === 'EPERM');
    }
  }
  let hashed = 0;
  await store.versions.verify('upper', { onProgress: ({ done }) => (hashed = done) });
  assert.equal(hashed, 0, 'a layer is stamped once it is immutable');
  assert.deepEqual((await store.fsck()).problems, []);
  await store.refs.remove('upper');
  await store.envs.remove('work', { force: true });
  await writeFile(context.layout.refLog, '');
  const { blobs } = await store.gc({ graceDays: 0 });
  assert.ok(blobs.filter(({ kind }) => kind === 'layer').length >= 2);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a harmed layer is mended, and one that lost the flag gets it back', async () => {
  await using scene = await immutableScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const copy = scene.path('copy');
  await cp(store.folder, copy, { recursive: true });
  const [layer] = await layersOf(scene, 'base');
  assert.ok(layer);
  const path = context.layout.blob(layer);
  assert.equal(await makeMutable(path), true);
  assert.deepEqual(
    (await store.fsck()).problems.map(({ kind }) => kind),
    ['layer-mutable'],
  );
  assert.deepEqual(
    (await store.repair()).mended.map(({ kind }) => kind),
    ['layer-mutable'],
  );
  assert.ok(await frozen(scene, layer));

  await makeMutable(path);
  await appendFile(path, 'x');
  {
    await using file = await openFile(path);
    setImmutable(file, true);
  }
  assert.deepEqual((await store.repair({ from: copy })).problems, []);
  assert.ok(await frozen(scene, layer));
  // Importing the same disk mends as well.
  await makeMutable(path);
  await appendFile(path, 'x');
  await store.versions.import(scene.path('base.raw'), { ref: null });
  assert.ok(await frozen(scene, layer));
  assert.deepEqual((await store.fsck()).problems, []);
});

test('the flag comes to layers that are there, and goes, with the setting', async () => {
  await using scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
  const [layer] = await layersOf(scene, 'base');
  assert.ok(layer);
  await scene.store.config.set('immutable', 'yes');
  assert.ok(await frozen(scene, layer));
  await scene.store.config.unset('immutable');
  assert.equal(await frozen(scene, layer), false);
  assert.deepEqual((await scene.store.fsck()).problems, []);
});

test('what a writer left immutable in staging is reclaimed', async () => {
  await using scene = await storeScene();
  await using staging = await openStaging(scene.context);
  await writeFile(staging.path('probe'), '');
  await cp(staging.folder, join(scene.context.layout.tmp, 'dead'), { recursive: true });
  await using file = await openFile(join(scene.context.layout.tmp, 'dead', 'probe'));
  setImmutable(file, true);
  await scene.store.gc();
  await refused(openFile(file.path), 'not-found');
});

test('who may not set the flag is told when it is asked for, and before anything has happened', async () => {
  await using scene = await immutableScene();
  await fillStore(scene.store, scene.rawDisk);
  const main = new URL('../cli/main.ts', import.meta.url).pathname;
  const calve = (...words: string[]): Promise<string> => {
    const line = [process.execPath, main, ...words].map((word) => `'${word}'`).join(' ');
    const drop = ['--bounding-set', '-linux_immutable', '--inh-caps', '-linux_immutable'];
    return succeed('setpriv', [...drop, 'sh', '-c', `! { ${line}; } 2>&1`]);
  };
  const denied =
    /immutable: cannot make immutable .*: only root may \(CAP_LINUX_IMMUTABLE\)\nhint: run it as root/;
  assert.match(await calve('init', scene.path('other'), '--immutable'), denied);
  const before = await scene.store.refs.list();
  assert.match(await calve('--store', scene.store.folder, 'import', scene.path('other.raw'), 'new'), denied);
  assert.deepEqual(await scene.store.refs.list(), before, 'nothing has happened');
});
