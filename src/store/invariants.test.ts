import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore, operations } from '../../test/support/store-operations.ts';
import {
  MiB,
  noise,
  readFrom,
  type StoreScene,
  storeScene,
  writeEnv,
} from '../../test/support/store-scene.ts';
import { digestOf, hexOf } from '../oci/index.ts';
import { hashFile } from './hash-file.ts';
import { moveRef } from './move-ref.ts';
import { publishVersion, stageVersion } from './publish.ts';
import { readIndex } from './ref-index.ts';
import { openStaging } from './staging.ts';
import { encodeVersion } from './version-document.ts';

// Invariant 4 is gc.test.ts, 6 crash.test.ts, 7 protection.test.ts, 8 image-locks.test.ts.

async function blobsOf({ context }: StoreScene): Promise<string[]> {
  return (await readdir(context.layout.blobs)).map((name) => join(context.layout.blobs, name));
}

// A manifest's time tells when the last ref or env let go of it (decision 013).
test('invariant 1: a blob’s bytes hash to its name, and no operation touches a layer again', async () => {
  await using scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
  const known = new Map<string, bigint>();
  const names = [
    'import',
    'commit',
    'import onto',
    'tag',
    'new',
    'new three',
    'reset',
    'remove',
    'restore',
    'empty',
  ];
  for (const name of [...names, 'untag', 'gc']) {
    await operations[name]?.(scene.store);
    for (const path of await blobsOf(scene)) {
      const { ctimeNs, mode } = await stat(path, { bigint: true });
      assert.equal(Number(mode) & 0o777, 0o444, path);
      const isLayer = (await readFile(path)).subarray(0, 3).equals(Buffer.from('QFI'));
      if (isLayer) assert.equal(known.get(path) ?? ctimeNs, ctimeNs, `${name} touched ${path}`);
      known.set(path, ctimeNs);
      assert.ok(path.endsWith(hexOf((await hashFile(path)).digest)), path);
    }
  }
  assert.ok(known.size > 8);
});

test('invariant 2: a layer names no parent, or its parent’s bare file name; QEMU follows it and finds no fault', async () => {
  await using scene = await storeScene();
  await fillStore(scene.store, scene.rawDisk);
  await scene.store.envs.commit('work', { message: 'one' });
  await writeEnv(scene.store, 'work', 0, noise('two', 1000));
  const { version } = await scene.store.envs.commit('work', { message: 'two' });
  for (const [at, layer] of version.layers.entries()) {
    const path = scene.context.layout.blob(layer.digest);
    await qemuImgCheck(path);
    const info = JSON.parse(await succeed('qemu-img', ['info', '--output', 'json', path]));
    const below = version.layers[at - 1];
    assert.equal(info['backing-filename'], below && hexOf(below.digest));
    assert.equal(info['backing-filename-format'], below && 'qcow2');
  }
});

test('invariant 2: an overlay that names anything else is refused, whatever it names', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const { layers } = await store.versions.get('base');
  const [base] = layers;
  assert.ok(base);
  const right = hexOf(base.digest);
  const overlay = await store.envs.path('work');
  await writeFile(scene.path('secret'), 'secret');
  for (const [file, format] of [
    [scene.path('secret'), 'raw'],
    [`../../blobs/sha256/${right}`, 'raw'],
    [`../sha256/${right}`, 'qcow2'],
    [`json:{"driver":"file","filename":"${scene.path('secret')}"}`, 'qcow2'],
    [`../../blobs/sha256/../sha256/${right}`, 'qcow2'],
  ] as const) {
    await succeed('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', format, '-b', file, overlay]);
    for (const use of [
      () => store.envs.openDisk('work'),
      () => store.envs.commit('work'),
      () => store.envs.status('work'),
      () => store.versions.export('work', scene.path('flat.raw'), { format: 'raw' }),
      () => store.versions.diffBlocks('work').next(),
    ]) {
      await refused(use(), 'corrupt', /backing file: expected .*, got /);
    }
    const { problems } = await store.fsck();
    assert.deepEqual(
      problems.map(({ kind, where }) => [kind, where]),
      [['env-broken', 'envs/work']],
    );
  }
  await succeed('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-b', '', overlay]);
  await refused(store.envs.openDisk('work'), 'corrupt', /expected the backing file .*, got none/);
});

test('invariant 2: a layer that names a host file is refused though its bytes hash to its name', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await writeFile(scene.path('secret'), noise('secret', MiB));
  const evil = scene.path('evil.qcow2');
  await succeed('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'raw',
    '-b',
    scene.path('secret'),
    evil,
    '1M',
  ]);
  const { digest, stat: found } = await hashFile(evil);
  await using staging = await openStaging(context);
  const config = {
    message: '',
    author: '',
    created: '2026-01-01T00:00:00Z',
    parents: [],
    machine: {},
    size: MiB,
  };
  const version = encodeVersion({ ...config, made: { command: 'pull' } }, [{ digest, size: found.size }]);
  await succeed('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', scene.path('secret'), evil]);
  const staged = await stageVersion(staging, [{ path: evil, digest }], version);
  await publishVersion(context, staged);
  const index = await readIndex(context);
  await moveRef(context, staging, index, { ref: 'evil:latest', to: version.document, command: 'pull' });
  await refused(store.versions.openDisk('evil'), 'corrupt', /backing file: expected none, got .*secret/);
  const { problems } = await store.fsck();
  assert.deepEqual(
    problems.map(({ kind, where, standing }) => [kind, where, standing.refs]),
    [['layer-parent', digest, ['evil:latest']]],
  );
});

test('invariant 3: a ref comes to point only at a version all of whose blobs are there', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const base = await store.versions.get('base');
  const [layer] = base.layers;
  assert.ok(layer);
  await rm(context.layout.blob(layer.digest));
  await refused(store.refs.set('stable', 'base'), 'changed', /is missing/);
  await refused(store.envs.commit('work'), 'changed', /is missing/);
  await refused(
    store.versions.import(scene.path('other.raw'), { ref: 'x', onto: 'base' }),
    'changed',
    /is missing/,
  );
  await refused(store.refs.set('stable', digestOf('no such manifest')), 'not-found', /is not in the store/);
  assert.deepEqual(
    (await store.refs.list()).map((ref) => ref.name),
    ['base:latest'],
  );
});

test('invariant 3: a layer that goes away while a commit works on it leaves no version behind', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const base = await store.versions.get('base');
  const [layer] = base.layers;
  assert.ok(layer);
  const before = await blobsOf(scene);
  let removed: Promise<void> | undefined;
  const commit = store.envs.commit('work', {
    onProgress: ({ phase }) => {
      if (phase === 'reading') removed ??= rm(context.layout.blob(layer.digest));
    },
  });
  await refused(commit, 'changed', /is missing/);
  await removed;
  assert.deepEqual((await store.refs.get('base')).version, base.digest);
  assert.deepEqual(
    await blobsOf(scene),
    before.filter((path) => !path.endsWith(hexOf(layer.digest))),
  );
  assert.deepEqual(await readdir(context.layout.tmp), []);
});

test('invariant 5: what is removed goes to the trash unless force is said, and others never notice', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  const overlay = await store.envs.path('idle');
  await using vm = await holdInQemuIo(overlay);
  const content = await readFrom(store.envs.openDisk('work'), 500_000, 80_000);
  const removed = await store.envs.remove('work');
  assert.ok(removed);
  assert.deepEqual(
    (await store.trash.list()).map(({ name }) => name),
    ['work', 'gone'],
  );
  await store.trash.restore(removed.id);
  assert.deepEqual(await readFrom(store.envs.openDisk('work'), 500_000, 80_000), content);
  assert.equal(await store.envs.remove('work', { force: true }), null);
  assert.deepEqual(
    (await store.trash.list()).map(({ name }) => name),
    ['gone'],
  );
  await store.gc({ graceDays: 0 });
  await vm.close();
  await qemuIo(overlay, ['write -P 9 0 64k', 'read -P 9 0 64k']);
  assert.deepEqual((await store.fsck()).problems, []);
});
