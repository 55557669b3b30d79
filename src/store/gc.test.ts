import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { digestOf, hexOf } from '../oci/index.ts';
import type { GcReport, VersionInfo } from './types.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Makes everything in the store as old as `days`: blobs, the ref log, the trash. */
async function age({ context }: StoreScene, days: number): Promise<void> {
  const { blobs, refLog, trash } = context.layout;
  const then = new Date(Date.now() - days * DAY);
  for (const name of await readdir(blobs)) await utimes(join(blobs, name), then, then);
  const moves = existsSync(refLog) ? (await readFile(refLog, 'utf8')).trimEnd().split('\n') : [];
  const older = moves.map((line) => JSON.stringify({ ...JSON.parse(line), time: then.toISOString() }));
  if (moves.length > 0) await writeFile(refLog, `${older.join('\n')}\n`);
  for (const id of await readdir(trash)) {
    const time = then.toISOString().replace(/[-:]/g, '');
    await rename(join(trash, id), join(trash, `${id.split('@')[0]}@${time}`));
  }
}

/** A version of its own bytes, named by nothing. */
async function versionOf({ store, rawDisk }: StoreScene, name: string): Promise<VersionInfo> {
  const disk = await rawDisk(`${name}.raw`, MiB, { 0: noise(name, 3000) });
  return (await store.versions.import(disk, { ref: null, message: name })).version;
}

function messages(report: GcReport, versions: readonly VersionInfo[]): string[] {
  const gone = new Set(report.blobs.map((blob) => blob.digest));
  return versions.filter((version) => gone.has(version.digest)).map((version) => version.message);
}

test('invariant 4: what a ref, an env, the trash or recent history reaches is never collected, the rest is', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const names = ['by ref', 'by env', 'by trash', 'by history', 'by nothing'];
  const versions: VersionInfo[] = [];
  for (const name of names) versions.push(await versionOf(scene, name.replace(' ', '-')));
  const [ref, env, trash, history] = versions;
  assert.ok(ref && env && trash && history);
  await store.refs.set('ref', ref.digest);
  await store.envs.create(env.digest, { name: 'env' });
  await store.envs.create(trash.digest, { name: 'trash' });
  await store.envs.remove('trash');
  await store.refs.set('moving', history.digest);
  await store.refs.set('moving', ref.digest);

  const report = await store.gc({ graceDays: 0 });
  assert.deepEqual(messages(report, versions), ['by-nothing']);
  assert.deepEqual(
    report.blobs.map((blob) => blob.kind),
    ['manifest', 'config', 'layer'],
  );
  assert.ok(report.freedBytes > 0);
  assert.deepEqual((await store.fsck()).problems, []);
  await store.refs.set('moving', 'moving@{1}');
  assert.equal((await store.refs.get('moving')).version, history.digest);
  await store.trash.restore('trash');
});

test('invariant 4: ancestors of what is kept are kept, with their layers', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await store.versions.import(await scene.rawDisk('disk.raw', MiB, { 0: noise('disk', 1000) }), {
    ref: 'line',
  });
  await store.envs.create('line', { name: 'work' });
  for (const message of ['one', 'two', 'three']) {
    await writeEnv(store, 'work', 0, noise(message, 100));
    await store.envs.commit('work', { message });
  }
  await store.refs.set('root', 'line~3');
  await store.envs.remove('work', { force: true });
  await age(scene, 30);
  assert.deepEqual((await store.gc({ graceDays: 0 })).blobs, []);
  await store.refs.set('line', 'line~1');
  await age(scene, 30);
  const { blobs } = await store.gc({ graceDays: 0 });
  assert.deepEqual(
    blobs.map((blob) => blob.kind),
    ['manifest', 'config', 'layer'],
  );
  assert.deepEqual(
    (await Array.fromAsync(store.versions.log('line'))).map(({ message }) => message),
    ['two', 'one', ''],
  );
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a chain goes from its top down', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await store.versions.import(await scene.rawDisk('disk.raw', MiB, { 0: noise('disk', 1000) }), {
    ref: 'line',
  });
  await store.envs.create('line', { name: 'work' });
  for (const message of ['one', 'two', 'three']) {
    await writeEnv(store, 'work', 0, noise(message, 100));
    await store.envs.commit('work', { message });
  }
  const { layers } = await store.versions.get('line');
  await store.envs.remove('work', { force: true });
  await store.refs.remove('line');
  await age(scene, 15);
  const { blobs } = await store.gc({});
  const gone = blobs.filter((blob) => blob.kind === 'layer').map((blob) => blob.digest);
  assert.deepEqual(gone, layers.map((layer) => layer.digest).toReversed());
  for (const folder of [context.layout.blobs, context.layout.stamps])
    assert.deepEqual(await readdir(folder), []);
});

test('the young are kept, and so is history, until their time is over', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const version = await versionOf(scene, 'young');
  await store.refs.set('ref', version.digest);
  await store.refs.remove('ref');
  assert.deepEqual((await store.gc()).blobs, []);
  assert.deepEqual((await store.gc({ graceDays: 0 })).blobs, []);
  await age(scene, 13);
  assert.deepEqual((await store.gc()).blobs, []);
  await age(scene, 15);
  const planned = await store.gc({ dryRun: true });
  assert.equal(planned.blobs.length, 3);
  await store.versions.verify(version.digest);
  assert.deepEqual(await store.gc(), { ...planned, dryRun: false });
  await refused(store.versions.get(version.digest), 'not-found');
  await refused(store.refs.set('ref', 'ref@{1}'), 'not-found');
  await refused(store.gc({ graceDays: -1 }), 'usage');
});

test('trash that expired goes, and what it alone stood on', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const version = await versionOf(scene, 'old');
  await store.envs.create(version.digest, { name: 'old' });
  await store.envs.remove('old');
  await age(scene, 6);
  assert.deepEqual((await store.gc({ graceDays: 0 })).trash, []);
  await age(scene, 20);
  const report = await store.gc();
  assert.deepEqual(
    report.trash.map((entry) => entry.name),
    ['old'],
  );
  assert.equal(report.blobs.length, 3);
  assert.deepEqual(await store.trash.list(), []);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('what another program’s manifest names is left alone', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const layer = 'not a disk at all';
  const descriptor = { mediaType: 'text/plain', digest: digestOf(layer), size: layer.length };
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { ...descriptor, digest: digestOf('{}') },
    layers: [descriptor],
  });
  for (const blob of [layer, '{}', manifest, 'named by nobody']) {
    await writeFile(context.layout.blob(digestOf(blob)), blob);
  }
  const index = JSON.parse(await readFile(context.layout.index, 'utf8'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifests = [{ mediaType, digest: digestOf(manifest), size: manifest.length }];
  await writeFile(context.layout.index, JSON.stringify({ ...index, manifests }));
  const { blobs } = await store.gc({ graceDays: 0 });
  assert.deepEqual(
    blobs.map(({ digest, kind }) => [digest, kind]),
    [[digestOf('named by nobody'), 'other']],
  );
});

test('when what is needed cannot be told nothing is deleted', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const version = await versionOf(scene, 'kept');
  await versionOf(scene, 'garbage');
  await store.refs.set('ref', version.digest);
  await rm(context.layout.blob(version.digest));
  const before = await readdir(context.layout.blobs);
  await refused(
    store.gc({ graceDays: 0 }),
    'not-found',
    new RegExp(`ref ref:latest: manifest sha256:${hexOf(version.digest)}`),
  );
  assert.deepEqual(await readdir(context.layout.blobs), before);
});
