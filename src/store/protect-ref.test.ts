import assert from 'node:assert/strict';
import { cp, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { storeScene } from '../../test/support/store-scene.ts';
import { openStore } from './open-store.ts';

test('a protected ref stays where it is, whatever would move it, and its log too', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  await store.refs.set('other', 'base');
  const { version } = await store.refs.get('base');
  const protectedBase = { name: 'base:latest', version, protected: true } as const;
  assert.deepEqual(await store.refs.protect('base'), protectedBase);
  assert.deepEqual(await store.refs.protect('base'), protectedBase);
  const index = await readFile(context.layout.index, 'utf8');
  const moves = await store.refs.history();

  const { digest } = (await store.versions.import(scene.path('other.raw'), { ref: null })).version;
  const attempts = [
    () => store.refs.set('base', digest),
    () => store.refs.remove('base'),
    () => store.versions.import(scene.path('other.raw'), { ref: 'base', onto: 'base' }),
    () => store.versions.import(scene.path('other.raw'), { ref: 'base' }),
    () => store.envs.commit('work'),
  ];
  for (const attempt of attempts) {
    const error = await refused(attempt(), 'denied', /^base:latest is protected: it stays at version /);
    assert.equal(error.hint, 'calve unprotect base:latest');
  }
  assert.equal(await readFile(context.layout.index, 'utf8'), index);
  assert.deepEqual(await store.refs.history(), moves);

  // What does not move it goes on, and what is under another name too.
  assert.deepEqual(await store.refs.set('base', 'other'), protectedBase);
  await store.envs.reset('idle');
  await store.envs.remove('idle', { force: true });
  await store.refs.set('other', digest);
  await store.envs.commit('work', { ref: 'fork' });
  assert.deepEqual(await store.refs.get('base'), protectedBase);
  assert.deepEqual((await store.fsck()).problems, []);

  await store.refs.unprotect('base');
  await store.refs.remove('base');
  await refused(store.refs.protect('base'), 'not-found');
  await refused(store.refs.unprotect('Base'), 'usage');
});

test('a copied store protects what the first one did', async () => {
  await using scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
  await scene.store.refs.protect('base');
  await cp(scene.store.folder, scene.path('copy'), { recursive: true, preserveTimestamps: true });
  const copy = await openStore(scene.path('copy'), { create: false });
  await refused(copy.refs.remove('base'), 'denied');
  assert.deepEqual(
    (await copy.df()).refs.map((ref) => [ref.name, ref.protected]),
    [['base:latest', true]],
  );
});
