import assert from 'node:assert/strict';
import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { CalveError } from '../errors/index.ts';
import { shortDigest } from '../oci/index.ts';
import { locked } from './locking.ts';
import type { VersionInfo } from './types.ts';

const DAY = 24 * 60 * 60 * 1000;

async function imported(
  { store, rawDisk }: StoreScene,
  name: string,
  ref: string | null = null,
): Promise<VersionInfo> {
  const disk = await rawDisk(`${name}.raw`, MiB, { 0: noise(name, 3000) });
  return (await store.versions.import(disk, { ref, message: name })).version;
}

/** As if no blob had been written or let go of for so long. */
async function age({ context }: StoreScene, days: number): Promise<void> {
  const then = new Date(Date.now() - days * DAY);
  for (const name of await readdir(context.layout.blobs)) {
    await utimes(join(context.layout.blobs, name), then, then);
  }
}

test('the grace of an old version begins when the last ref or environment lets go of it', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await imported(scene, 'tagged', 'tagged');
  await imported(scene, 'moved', 'moved');
  const lone = await imported(scene, 'lone');
  await store.envs.create(lone.digest, { name: 'lone' });
  await age(scene, 30);
  await store.refs.remove('tagged');
  await store.refs.set('moved', lone.digest);
  await store.refs.remove('moved');
  await store.envs.remove('lone', { force: true });
  assert.deepEqual((await store.gc({ historyDays: 0 })).blobs, []);
  await age(scene, 13);
  assert.deepEqual((await store.gc({ historyDays: 0 })).blobs, []);
  await age(scene, 15);
  // The history of refs keeps what it names, but no version that only an environment stood on.
  assert.deepEqual((await store.gc()).blobs, []);
  await store.config.set('gc.historyDays', 0);
  assert.equal((await store.gc()).blobs.length, 9);
});

test('the settings are what gc goes by', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const version = await imported(scene, 'lone');
  await store.envs.create(version.digest, { name: 'lone' });
  const removed = await store.envs.remove('lone');
  assert.equal(Date.parse(removed?.expires ?? '') - Date.parse(removed?.removed ?? ''), 7 * DAY);
  await store.config.set('trash.days', 0);
  await store.config.set('gc.graceDays', 20);
  await setTimeout(2);
  await age(scene, 19);
  const first = await store.gc();
  assert.deepEqual([first.trash.length, first.blobs.length], [1, 0]);
  await age(scene, 21);
  assert.equal((await store.gc()).blobs.length, 3);
});

test('gc says since when and why something is not needed, and what needs the rest', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const first = await imported(scene, 'first', 'line');
  await store.envs.create('line', { name: 'work' });
  await writeEnv(store, 'work', 0, noise('second', 100));
  const second = (await store.envs.commit('work', { message: 'second' })).version;
  await store.envs.remove('work', { force: true });
  const lone = await imported(scene, 'lone');
  await age(scene, 3);
  const before = new Date().toISOString();
  await store.refs.remove('line');
  const report = await store.gc({ dryRun: true, graceDays: 0, historyDays: 0, explainKept: true });
  assert.deepEqual(report.kept, []);
  const [move] = await store.refs.history('line');
  const told = new Map(report.blobs.map((blob) => [blob.digest, blob]));
  const why = `line:latest named it until ${move?.time} (untag), and nothing needs it now`;
  assert.equal(told.get(second.digest)?.why, why);
  assert.match(told.get(first.digest)?.why ?? '', /^line:latest named it until .* \(commit\)/);
  assert.equal(told.get(lone.digest)?.why, 'no ref, environment or trash needs it');
  const [base, upper] = second.layers;
  assert.ok(base && upper);
  assert.equal(told.get(upper.digest)?.why, `of ${shortDigest(second.digest)}, which nothing needs`);
  assert.match(told.get(base.digest)?.why ?? '', /^of [0-9a-f]{12}, [0-9a-f]{12}, which nothing needs$/);
  for (const digest of [first.digest, second.digest, base.digest, upper.digest]) {
    assert.ok((told.get(digest)?.since ?? '') >= before, told.get(digest)?.since);
  }
  assert.ok((told.get(lone.digest)?.since ?? before) < before);

  await store.refs.set('line', 'line@{1}');
  await store.refs.set('moving', first.digest);
  await store.refs.set('moving', lone.digest);
  await store.envs.create(lone.digest, { name: 'env' });
  await store.envs.remove('env');
  await store.refs.remove('moving');
  const young = await imported(scene, 'young');
  const { kept = [] } = await store.gc({ dryRun: true, explainKept: true });
  const by = new Map(kept.map((version) => [version.digest, version.by]));
  assert.equal(by.get(second.digest), 'ref line:latest');
  assert.match(by.get(lone.digest) ?? '', /^trash env@/);
  assert.equal(by.get(first.digest), 'history of moving:latest');
  assert.match(by.get(young.digest) ?? '', /^its grace, until \d{4}-.*Z$/);
  await store.refs.set('deep', second.digest);
  const later = await store.gc({ dryRun: true, historyDays: 0, graceDays: 0, explainKept: true });
  assert.equal(
    later.kept?.find((version) => version.digest === first.digest)?.by,
    'ref deep:latest, an ancestor',
  );
});

/** What writers do with the version `lone`, whose layer `twin` has too, and `other`, which has its own. */
const WRITERS: Readonly<Record<string, (scene: StoreScene, version: string) => Promise<unknown>>> = {
  new: ({ store }, version) => store.envs.create(version, { name: 'made' }),
  reset: ({ store }, version) => store.envs.reset('idle', version),
  tag: ({ store }, version) => store.refs.set('made', version),
  'import --onto': ({ store, path }, version) =>
    store.versions.import(path('more.raw'), { ref: 'made', onto: version }),
};

for (const [name, write] of Object.entries(WRITERS)) {
  test(`gc comes between the first look and the lock of ${name}: it is refused, and nothing is broken`, async () => {
    await using scene = await storeScene();
    const { store, context } = scene;
    await imported(scene, 'kept', 'kept');
    await store.envs.create('kept', { name: 'idle' });
    await scene.rawDisk('more.raw', MiB, { 0: noise('more', 3000) });
    const lone = await imported(scene, 'shared');
    await imported(scene, 'shared', 'twin');
    const other = await imported(scene, 'other');
    for (const version of [lone, other]) {
      let collected: Promise<unknown> = Promise.resolve();
      let written: Promise<unknown> = Promise.resolve();
      await locked(context, async () => {
        collected = store.gc({ graceDays: 0 });
        await setTimeout(20); // it stands in the queue
        written = write(scene, version.digest);
        written.catch(() => {});
        await setTimeout(250); // staged, and behind it
      });
      await collected;
      if (name === 'import --onto' && version === lone) {
        // Its layers are all there still, and a parent that is gone is no more than a history that ends.
        await written;
        await store.refs.remove('made');
      } else {
        await assert.rejects(written, (error) => {
          return CalveError.is(error, 'not-found') || CalveError.is(error, 'changed');
        });
      }
      assert.deepEqual((await store.fsck()).problems, []);
      assert.deepEqual(await readdir(context.layout.tmp), []);
    }
    assert.deepEqual(
      (await store.envs.list()).map((env) => env.name),
      ['idle'],
    );
    await store.gc();
  });
}
