import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { holdInQemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { digestOf, hexOf } from '../oci/index.ts';
import { locked } from './locking.ts';
import { moveRef } from './move-ref.ts';
import { publishVersion, stageVersion } from './publish.ts';
import { readVersion } from './read-version.ts';
import { readIndex, refsOf } from './ref-index.ts';
import { openStaging, writeStaged } from './staging.ts';
import { encodeVersion } from './version-document.ts';

async function found({ store }: StoreScene): Promise<string[]> {
  return (await store.fsck()).problems.map(({ kind, where }) => `${kind} ${where}`).sort();
}

test('a sound store has no problems, and everything was looked at', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  let last = { done: 0, total: -1 };
  const { problems, checked } = await store.fsck({ onProgress: (progress) => (last = progress) });
  assert.deepEqual(problems, []);
  const { bytes, ...counts } = checked;
  assert.deepEqual(counts, { blobs: 6, versions: 2, layers: 2, refs: 1, envs: 2, trash: 1 });
  assert.deepEqual([last.done, last.total], [bytes, bytes]);
  await refused(store.fsck({ signal: AbortSignal.abort() }), 'aborted');
});

test('every document and reference that is broken is told by its place', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const { layout } = context;
  await fillStore(store, scene.rawDisk);
  await store.envs.commit('work', { ref: 'upper' });
  await writeFile(join(layout.blobs, 'notes.txt'), '');
  await mkdir(layout.trashed('something'));
  await writeFile(layout.envDocument('idle'), '{}');
  await appendFile(layout.refLog, '{"id":1}\n');
  const version = await readVersion(context, (await store.versions.get('upper')).digest);
  await rm(layout.blob(version.configDigest));
  const expected = [
    'blob-misnamed blobs/sha256/notes.txt',
    `blob-missing ${version.configDigest}`,
    'env-broken envs/idle/env.json',
    'log-broken logs/refs.jsonl',
    'stray trash/something',
    'trash-broken trash/something/env.json',
  ];
  assert.deepEqual(await found(scene), expected);
  const problem = (await store.fsck()).problems.find(({ kind }) => kind === 'blob-missing');
  assert.deepEqual(problem?.standing, {
    versions: [version.digest],
    refs: ['upper:latest'],
    envs: ['work'],
    trash: [],
  });

  await rm(layout.blob(version.digest));
  assert.deepEqual(
    (await found(scene)).filter((one) => /upper|work/.test(one)),
    ['env-broken envs/work', 'ref-broken upper:latest'],
  );
});

test('a file under a layer’s name that is no qcow2 file is told once, with all that stands on it', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const [layer] = (await store.versions.get('base')).layers;
  assert.ok(layer);
  const path = context.layout.blob(layer.digest);
  await chmod(path, 0o644);
  await writeFile(path, 'no longer a disk');
  const { problems } = await store.fsck();
  assert.deepEqual(
    problems.map(({ kind, where }) => [kind, where]),
    [['blob-changed', layer.digest]],
  );
  assert.deepEqual(problems[0]?.standing.envs, ['idle', 'work']);
  assert.ok(problems[0]?.message.includes(hexOf(layer.digest)));
});

test('a layer whose bytes are what its name says and whose structure is broken is told with what the check counts', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const [layer] = (await store.versions.get('base')).layers;
  assert.ok(layer);
  const whole = await readFile(context.layout.blob(layer.digest));
  // As a hostile registry might send it: the first L2 table lies nowhere, and the manifest names these very bytes.
  const hostile = Buffer.from(whole);
  hostile.writeBigUInt64BE(0x8000_0000_7fff_0000n, Number(hostile.readBigUInt64BE(40)));
  await publishHostile(scene, 'broken', hostile);
  await publishHostile(scene, 'headless', Buffer.from('no disk at all'));
  const { problems } = await store.fsck();
  assert.deepEqual(problems.map(({ kind, standing }) => [kind, standing.refs]).sort(), [
    ['layer-broken', ['broken:latest']],
    ['layer-broken', ['headless:latest']],
  ]);
  assert.ok(
    problems.some(({ message }) => /\d+ corruptions?, .*\(past-end at \d+: expected/.test(message)),
    problems[0]?.message,
  );
  assert.ok(problems.every(({ hint, needs }) => /no copy is better/.test(hint) && needs === null));
  // No copy is better: nothing is fetched.
  assert.equal((await store.repair()).problems.length, 2);
});

test('an overlay in use is skipped by name, one that is broken is told, and a layer that is written is told by whom', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const [layer] = (await store.versions.get('base')).layers;
  assert.ok(layer);
  {
    await using _vm = await holdInQemuIo(context.layout.overlay('work'));
    const { problems, skipped } = await store.fsck();
    assert.deepEqual(problems, []);
    assert.deepEqual(
      skipped.map(({ where }) => where),
      ['envs/work'],
    );
    assert.match(skipped[0]?.message ?? '', /was not checked: in use by qemu-io \(pid \d+\)/);
  }
  {
    await using _writer = await holdInQemuIo(context.layout.blob(layer.digest));
    const { problems } = await store.fsck();
    assert.deepEqual(
      problems.map(({ kind }) => kind),
      ['layer-in-use'],
    );
    assert.match(problems[0]?.message ?? '', /open for writing: .*qemu-io \(pid \d+\)/);
  }
  const overlay = context.layout.overlay('work');
  const bytes = await readFile(overlay);
  bytes.writeBigUInt64BE(0x8000_0000_7fff_0000n, Number(bytes.readBigUInt64BE(40)));
  await writeFile(overlay, bytes);
  assert.deepEqual(await found(scene), ['env-broken envs/work']);
});

test('a recorded move that cannot be read is told, stays where it is, and all else is looked at', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  const folder = join(context.layout.journal, '0123456789abcdef');
  await mkdir(folder);
  await writeFile(join(folder, 'record.json'), '{');
  await writeFile(join(context.layout.stamps, 'notes'), '');
  assert.deepEqual(await found(scene), ['journal-broken journal/0123456789abcdef', 'stray stamps/notes']);
  const error = await refused(store.envs.list(), 'corrupt', /record\.json: expected JSON/);
  assert.equal(error.hint, 'calve fsck');
  assert.equal((await store.repair()).problems.length, 2);
  await rename(folder, scene.path('elsewhere'));
  await store.envs.list();
});

/** A version whose one layer has these bytes, whatever they are. */
async function publishHostile({ context }: StoreScene, ref: string, bytes: Buffer): Promise<void> {
  const { config, size } = await readVersion(
    context,
    refsOf(await readIndex(context)).find(({ name }) => name === 'base:latest')?.version ?? assert.fail(),
  );
  await using staging = await openStaging(context);
  await writeStaged(staging.path('layer'), bytes);
  const layer = { path: staging.path('layer'), digest: digestOf(bytes) };
  const version = encodeVersion({ ...config, message: ref, size }, [
    { digest: layer.digest, size: bytes.length },
  ]);
  const staged = await stageVersion(staging, [layer], version);
  await locked(context, async () => {
    await publishVersion(context, staged);
    const to = version.document;
    await moveRef(context, staging, await readIndex(context), { ref: `${ref}:latest`, to, command: 'test' });
  });
}
