import assert from 'node:assert/strict';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { storeScene } from '../../test/support/store-scene.ts';

test('the totals are what du says, and an own size is what goes away with its ref or env', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  await store.versions.import(scene.path('other.raw'), { ref: 'other', message: 'other' });
  await store.envs.commit('work', { ref: 'fork', message: 'fork' });
  await store.envs.remove('idle', { force: true });
  await store.gc({ graceDays: 0 });

  const before = await store.df();
  const du = await succeed('/usr/bin/du', ['-B1', '-s', store.folder]);
  const { total, ...rooms } = before.totals;
  assert.equal(total, Number.parseInt(du, 10));
  assert.equal(
    Object.values(rooms).reduce((sum, bytes) => sum + bytes, 0),
    total,
  );
  const space = new Map([...before.refs, ...before.envs].map((one) => [one.name, one]));
  // work stands on fork: neither frees the version alone.
  assert.equal(space.get('fork:latest')?.ownBytes, 0);
  assert.ok((space.get('other:latest')?.ownBytes ?? 0) > 50_000);
  assert.equal(space.get('other:latest')?.sharedBytes, 0);
  assert.equal(space.get('base:latest')?.virtualSize, 1 << 20);

  const own = space.get('work')?.ownBytes ?? 0;
  await store.envs.remove('work', { force: true });
  const after = await store.df();
  assert.equal(before.totals.total - after.totals.total, own);
  const fork = after.refs.find((ref) => ref.name === 'fork:latest');
  assert.ok((fork?.ownBytes ?? 0) > 80_000);
  // base is an ancestor of fork, so that fork alone frees only what it added.
  assert.equal(after.refs.find((ref) => ref.name === 'base:latest')?.ownBytes, 0);
});
