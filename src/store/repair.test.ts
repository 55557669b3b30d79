import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { chmod, cp, mkdir, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { statFile } from '../host/index.ts';
import { digestOf } from '../oci/index.ts';
import type { BlobSource } from './blob-source.ts';
import { openStore } from './open-store.ts';
import { readVersion } from './read-version.ts';
import { writeStamp } from './stamps.ts';
import { Store } from './store.ts';

/** A filled store of two versions, one on the other, and a copy of it. */
async function copiedStore(scene: StoreScene): Promise<string> {
  await fillStore(scene.store, scene.rawDisk);
  await scene.store.envs.commit('work', { ref: 'upper', message: 'upper' });
  const copy = scene.path('copy');
  await cp(scene.path('store'), copy, { recursive: true });
  return copy;
}

async function left({ store }: StoreScene): Promise<string[]> {
  return (await store.fsck()).problems.map(({ kind }) => kind);
}

test('every blob of a version comes back from a copy, manifest first, then what it names', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const copy = await copiedStore(scene);
  const { digest } = await store.versions.get('upper');
  const version = await readVersion(context, digest);
  const blobs = [digest, version.configDigest, ...version.layers.map((layer) => layer.digest)];
  for (const blob of blobs) await rm(context.layout.blob(blob));
  const phases = new Set<string>();
  const report = await store.repair({ from: `oci:${copy}`, onProgress: ({ phase }) => phases.add(phase) });
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.mended.map(({ where }) => where).sort(), [...blobs].sort());
  assert.ok(phases.has('fetching'));
  assert.deepEqual(await left(scene), []);
  await store.versions.verify('upper');
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('a harmed blob is kept under another name, and its place taken by the right bytes alone', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const copy = await copiedStore(scene);
  const [base, upper] = (await store.versions.get('upper')).layers.map((layer) => layer.digest);
  assert.ok(base !== undefined && upper !== undefined);
  for (const layer of [base, upper]) {
    const path = context.layout.blob(layer);
    await chmod(path, 0o644);
    await writeFile(path, 'written by mistake');
    await chmod(path, 0o444);
  }
  // The copy's own is harmed too: it must not come into the store.
  const theirs = join(copy, 'blobs', 'sha256', upper.slice(7));
  const right = await readFile(theirs);
  await chmod(theirs, 0o644);
  await writeFile(theirs, noise('other', right.length));
  const report = await store.repair({ from: copy });
  assert.deepEqual(
    report.problems.map(({ where }) => where),
    [upper],
  );
  assert.match(report.problems[0]?.message ?? '', /copy: its blob has changed too: the bytes hash to/);
  assert.match(
    report.mended.find(({ where }) => where === base)?.message ?? '',
    /kept as harmed\/[0-9a-f]{64}@/,
  );
  const [kept] = await readdir(context.layout.harmed);
  assert.equal(await readFile(join(context.layout.harmed, kept ?? ''), 'utf8'), 'written by mistake');
  assert.equal((await stat(context.layout.blob(base))).mode & 0o777, 0o444);

  // More bytes than there may be are not even read to their end.
  await writeFile(theirs, Buffer.concat([right, Buffer.alloc(1)]));
  assert.match((await store.repair({ from: copy })).problems[0]?.message ?? '', /more than the \d+ bytes/);
  await writeFile(theirs, right);
  assert.deepEqual((await store.repair({ from: copy })).problems, []);
  assert.deepEqual(await left(scene), []);
});

test('any source of bytes by digest will do; one that breaks off harms nothing', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const copy = await copiedStore(scene);
  const [layer] = (await store.versions.get('base')).layers;
  assert.ok(layer);
  await rm(context.layout.blob(layer.digest));
  let breaks = true;
  const source: BlobSource = {
    name: 'elsewhere',
    async open(digest) {
      if (digest !== layer.digest) return undefined;
      return (async function* () {
        const bytes = await readFile(join(copy, 'blobs', 'sha256', digest.slice(7)));
        yield bytes.subarray(0, 1000);
        if (breaks) throw new TypeError('the line went dead');
        yield bytes.subarray(1000);
      })();
    },
  };
  await assert.rejects(store.repair({ from: source }), /the line went dead/);
  assert.deepEqual(await readdir(context.layout.tmp), []);
  assert.deepEqual(await left(scene), ['blob-missing']);
  breaks = false;
  assert.deepEqual((await store.repair({ from: source })).problems, []);
});

test('what is no source is refused before anything is looked at', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await copiedStore(scene);
  for (const from of ['docker://debian:12', 'https://example.org/x']) {
    await refused(store.repair({ from }), 'usage', /expected (HOST|a registry's host)/);
  }
  await refused(store.repair({ from: scene.path('nowhere') }), 'not-found', /nowhere is not there/);
  await refused(store.repair({ from: 'debian' }), 'not-found', /debian is not there/);
  await refused(
    store.repair({ from: scene.path('.') }),
    'not-found',
    /neither a store nor an OCI image layout/,
  );
  await refused(store.repair({ from: store.folder }), 'usage', /is the store that is to be repaired/);
});

test('modes, stray stamps and leaks are mended without a source', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await copiedStore(scene);
  const version = await store.versions.get('upper');
  const [layer] = version.layers;
  assert.ok(layer);
  for (const blob of [version.digest, layer.digest]) await chmod(context.layout.blob(blob), 0o664);
  const overlay = context.layout.overlay('idle');
  const there = statFile(overlay);
  assert.ok(there);
  writeStamp(context, digestOf('nobody'), there);
  await leak(overlay, scene);
  assert.deepEqual((await left(scene)).sort(), ['blob-writable', 'blob-writable', 'env-leaks', 'stray']);
  const report = await store.repair();
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.mended.map(({ kind }) => kind).sort(), [
    'blob-writable',
    'blob-writable',
    'env-leaks',
    'stray',
  ]);
  assert.equal((await stat(context.layout.blob(layer.digest))).mode & 0o777, 0o444);
  assert.deepEqual((await store.repair()).mended, []);
  await succeed('qemu-img', ['check', '-f', 'qcow2', overlay]);
});

test('a repair killed before any of its steps has mended or has not, and running it again goes on', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const copy = await copiedStore(scene);
  const [base, upper] = (await store.versions.get('upper')).layers.map((layer) => layer.digest);
  assert.ok(base !== undefined && upper !== undefined);
  await chmod(context.layout.blob(base), 0o644);
  await writeFile(context.layout.blob(base), 'harmed');
  await rm(context.layout.blob(upper));
  const steps: string[] = [];
  const step = (what: string): void => {
    cpSync(store.folder, scene.path(`killed-${steps.length}`), { recursive: true });
    steps.push(what);
  };
  assert.deepEqual((await new Store({ ...context, step }).repair({ from: copy })).problems, []);
  assert.equal(steps.filter((what) => what === 'publish the mended blob').length, 2);
  for (const [at, what] of steps.entries()) {
    const killed = await openStore(scene.path(`killed-${at}`), { create: false });
    // What is harmed is still there, or what is right.
    const bytes = await readFile(join(killed.folder, 'blobs', 'sha256', base.slice(7)));
    assert.ok(bytes.toString() === 'harmed' || digestOf(bytes) === base, `before ${what}`);
    assert.deepEqual((await killed.repair({ from: copy })).problems, [], `before ${what}`);
    assert.deepEqual((await killed.fsck()).problems, [], `before ${what}`);
    assert.deepEqual(await readdir(join(killed.folder, 'tmp')), [], `before ${what}`);
    const harmed = await readdir(join(killed.folder, 'harmed'));
    for (const name of harmed)
      assert.equal(await readFile(join(killed.folder, 'harmed', name), 'utf8'), 'harmed');
    assert.ok(harmed.length >= 1);
  }
});

test('what a repair replaced goes with the trash that is as old', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await copiedStore(scene);
  const { harmed } = context.layout;
  await mkdir(harmed);
  const hex = 'ab'.repeat(32);
  const days = (count: number): string =>
    new Date(Date.now() - count * 86_400_000).toISOString().replace(/[-:]/g, '');
  const [old, young] = [`${hex}@${days(8)}`, `${hex}@${days(6)}`];
  for (const name of [old, young, 'notes']) await writeFile(join(harmed, name), noise(name, 5000));
  assert.deepEqual((await store.gc({ dryRun: true })).harmed, [`harmed/${old}`]);
  const { freedBytes } = await store.gc();
  assert.ok(freedBytes >= 5000);
  assert.deepEqual((await readdir(harmed)).sort(), [young, 'notes'].sort());
  await store.config.set('trash.days', 5);
  assert.deepEqual((await store.gc()).harmed, [`harmed/${young}`]);
});

/** Raises a refcount that nothing accounts for. */
async function leak(overlay: string, { store }: StoreScene): Promise<void> {
  await writeEnv(store, 'idle', 0, noise('leak', 65536));
  await using file = await open(overlay, 'r+');
  const header = Buffer.alloc(64);
  await file.read(header, 0, 64, 0);
  const table = Buffer.alloc(8);
  await file.read(table, 0, 8, Number(header.readBigUInt64BE(48)));
  const clusters = Math.ceil((await file.stat()).size / 65536);
  await file.truncate((clusters + 1) * 65536);
  await file.write(Buffer.from([0, 1]), 0, 2, Number(table.readBigUInt64BE()) + clusters * 2);
}
