import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { qemuImgCheck, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { noise, readFrom, storeScene, writeEnv } from '../../test/support/store-scene.ts';

test('an env is an ordinary overlay that QEMU and calve read and write alike', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const [env] = await store.envs.create('base', { name: 'fresh' });
  const path = await store.envs.path('fresh');
  assert.equal(path, scene.context.layout.overlay('fresh'));
  assert.deepEqual(env, await store.envs.get('fresh'));
  assert.equal(env?.ref, 'base:latest');
  assert.equal(env?.state, 'idle');
  await qemuImgCheck(path);
  await qemuIo(path, ['write -P 7 64k 64k']);
  assert.deepEqual(await readFrom(store.envs.openDisk('fresh'), 65536, 65536), Buffer.alloc(65536, 7));
  await writeEnv(store, 'fresh', 700_000, Buffer.alloc(1000, 9));
  await qemuIo(path, ['read -P 9 700000 1000', 'read -P 7 64k 64k']);
  await qemuImgCheck(path);
  assert.deepEqual(
    await readFrom(store.envs.openDisk('idle'), 65536, 100),
    noise('base', 100_000).subarray(65536, 65636),
  );
});

test('several come at once, under numbered or made-up names, or not at all', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const names = (await store.envs.create('base', { name: 'node', count: 3 })).map((env) => env.name);
  assert.deepEqual(names, ['node-1', 'node-2', 'node-3']);
  const made = await store.envs.create('base', { count: 40 });
  assert.equal(new Set(made.map((env) => env.name)).size, 40);
  for (const env of made.slice(0, 3)) await qemuImgCheck(await store.envs.path(env.name));
  const before = await readdir(context.layout.envs);
  await refused(store.envs.create('base', { name: 'node', count: 5 }), 'exists', /node-1 exists already/);
  await refused(store.envs.create('base', { name: 'work' }), 'exists', /work exists already/);
  for (const count of [0, -1, 1.5, Number.NaN]) await refused(store.envs.create('base', { count }), 'usage');
  for (const name of ['../x', 'a@b', ''])
    await refused(store.envs.create('base', { name }), 'usage', /^env '/);
  await refused(store.envs.create('base', { name: 'x'.repeat(62), count: 2 }), 'usage');
  assert.deepEqual(await readdir(context.layout.envs), before);
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('of two that make one name one is refused', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, () => store.envs.create('base', { name: 'one' })),
  );
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
});

test('an env tracks the ref that it was made by name from, and no other', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const { digest } = await store.versions.get('base');
  for (const [expression, ref] of [
    ['base', 'base:latest'],
    ['base:latest', 'base:latest'],
    ['base~0', null],
    [digest, null],
    ['work@base', null],
    ['base@{0}', null],
  ] as const) {
    const [env] = await store.envs.create(expression);
    assert.equal(env?.ref, ref, expression);
    assert.equal(env?.version, digest);
  }
});

test('status counts what the overlay holds, and notices that the ref moved', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const idle = await store.envs.status('idle');
  assert.deepEqual(
    [idle.changedClusters, idle.clusterSize, idle.refMoved, idle.state],
    [0, 65536, false, 'idle'],
  );
  const work = await store.envs.status('work');
  assert.equal(work.changedClusters, 2);
  assert.ok(work.changedBytes >= 80_000);
  // Zeros and discards are changes too.
  await qemuIo(await store.envs.path('idle'), ['write -z 128k 64k', 'discard 256k 64k']);
  assert.equal((await store.envs.status('idle')).changedClusters, 2);
  await store.envs.commit('work');
  assert.equal((await store.envs.status('work')).refMoved, false);
  assert.equal((await store.envs.status('idle')).refMoved, true);
  await store.refs.remove('base');
  assert.equal((await store.envs.status('work')).refMoved, true);
  await refused(store.envs.status('nobody'), 'not-found', /no environment is called nobody/);
});

test('a disk that is open, by QEMU or by calve, is told from an idle one without any lock', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  {
    await using _disk = await store.envs.openDisk('work', { writable: true });
    const [idle, work] = await store.envs.list();
    assert.equal(idle?.state, 'idle');
    assert.ok(typeof work?.state === 'object');
    assert.deepEqual(
      work.state.inUse.map(({ pid, access }) => [pid, access]),
      [[process.pid, 'write']],
    );
  }
  assert.equal((await store.envs.get('work')).state, 'idle');
});

test('an env whose document or overlay is broken is told by file and field, and goes by force', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const document = context.layout.envDocument('idle');
  await writeFile(document, (await readFile(document, 'utf8')).replace('sha256', 'md5'));
  await refused(store.envs.get('idle'), 'corrupt', /envs\/idle\/env\.json: version: /);
  await refused(store.envs.remove('idle'), 'corrupt', /version: /);
  await refused(store.gc(), 'corrupt', /env\.json/);
  assert.equal(await store.envs.remove('idle', { force: true }), null);
  await rm(context.layout.overlay('work'));
  await refused(store.envs.list(), 'corrupt', /environment work: its overlay is missing/);
  await refused(store.envs.remove('work'), 'corrupt', /its overlay is missing/);
  assert.deepEqual(
    (await store.fsck()).problems.map(({ kind, where }) => [kind, where]),
    [['env-broken', 'envs/work']],
  );
  await store.envs.remove('work', { force: true });
  assert.deepEqual(await store.envs.list(), []);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a reset drops what was changed, through the trash, and may go to another version', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const changed = await readFrom(store.envs.openDisk('work'), 500_000, 80_000);
  const { env, trash } = await store.envs.reset('work');
  assert.equal(env.ref, 'base:latest');
  assert.equal((await store.envs.status('work')).changedClusters, 0);
  assert.deepEqual(await readFrom(store.envs.openDisk('work'), 500_000, 80_000), Buffer.alloc(80_000));
  const back = await store.trash.restore(trash.id, 'rescued');
  assert.equal(back.name, 'rescued');
  assert.deepEqual(await readFrom(store.envs.openDisk('rescued'), 500_000, 80_000), changed);

  const { version } = await store.envs.commit('rescued', { ref: 'other' });
  assert.equal((await store.envs.reset('work', 'other')).env.ref, 'other:latest');
  assert.deepEqual(await readFrom(store.envs.openDisk('work'), 500_000, 80_000), changed);
  assert.equal((await store.envs.reset('work', `${version.digest}~1`)).env.ref, null);
  await refused(store.envs.reset('work', 'nothing'), 'not-found');
  assert.deepEqual((await store.fsck()).problems, []);
});

test('the trash gives back the newest of a name, does not replace an env, and empties by id or age', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const first = await store.envs.remove('work');
  await store.envs.create('base', { name: 'work' });
  const second = await store.envs.remove('work');
  assert.ok(first && second);
  assert.deepEqual((await store.trash.list()).map(({ id }) => id).slice(0, 2), [second.id, first.id]);
  await store.trash.restore('work');
  await refused(store.trash.restore('work'), 'exists', /environment work exists already/);
  assert.equal((await store.envs.status('work')).changedClusters, 0);
  await refused(store.trash.restore('nothing'), 'not-found', /the trash has no nothing/);
  await refused(store.trash.restore('../envs/idle'), 'not-found');
  assert.deepEqual(await store.trash.empty({ olderThan: '2020-01-01T00:00:00Z' }), []);
  assert.deepEqual(
    (await store.trash.empty({ ids: [first.id] })).map(({ id }) => id),
    [first.id],
  );
  assert.deepEqual(
    (await store.trash.empty()).map(({ name }) => name),
    ['gone'],
  );
  assert.deepEqual(await store.trash.list(), []);
  await refused(store.trash.empty({ olderThan: 'yesterday' }), 'usage');
});

test('several are removed as one: not when one of them is in use or not there', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const names = async () => (await store.envs.list()).map((env) => env.name);
  {
    await using _open = await store.envs.openDisk('work', { writable: true });
    await refused(store.envs.removeMany(['idle', 'work']), 'in-use', /environment work/);
  }
  await refused(store.envs.removeMany(['idle', 'nobody'], { force: true }), 'not-found');
  assert.deepEqual(await names(), ['idle', 'work']);
  const removed = await store.envs.removeMany(['work', 'idle', 'work']);
  assert.deepEqual(
    removed.map((entry) => entry.name),
    ['work', 'idle'],
  );
  for (const { id } of removed) await store.trash.restore(id);
  assert.deepEqual(await store.envs.removeMany(['idle', 'work'], { force: true }), []);
  assert.deepEqual(await names(), []);
  assert.deepEqual(await readdir(context.layout.tmp), []);
});
