import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { hexOf } from '../oci/index.ts';
import { readVersion } from './read-version.ts';

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
