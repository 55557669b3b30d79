import assert from 'node:assert/strict';
import { mkdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { contentOf } from '../../test/support/disk-content.ts';
import { allData, diskOf } from '../../test/support/layer-scene.ts';
import { succeed } from '../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import {
  MiB,
  noise,
  readFrom,
  type StoreScene,
  storeScene,
  writeEnv,
} from '../../test/support/store-scene.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { hexOf } from '../oci/index.ts';
import { writeLayer } from '../qcow2/index.ts';
import { openLayout } from './open-store.ts';
import { Store } from './store.ts';
import type { CommitResult } from './types.ts';

const CLUSTER = 65_536;

const BASE = noise('base', MiB);

/** An env whose version's chain is as long as is left alone, and what each version of it reads. */
async function longChain(): Promise<StoreScene & { readonly contents: ReadonlyMap<string, string> }> {
  const scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('base.raw', 2 * MiB, { 0: BASE, [1.75 * MiB]: BASE.subarray(0, 9000) });
  await store.versions.import(raw, { ref: 'base' });
  await store.envs.create('base', { name: 'work' });
  const resize = async (size: string): Promise<void> => {
    const overlay = await store.envs.path('work');
    await succeed('qemu-img', ['resize', '-q', '--shrink', '-f', 'qcow2', overlay, size]);
  };
  const contents = new Map<string, string>();
  for (let at = 1; at <= 15; at += 1) {
    if (at === 6) await resize('1600k');
    if (at === 9) await resize('2560k');
    await using disk = await store.envs.openDisk('work', { writable: true });
    // The same cluster again and again, one of each commit's own, zeros, and what the base has there.
    await disk.write(noise(at, 5000), 100_000);
    await disk.write(at % 3 === 0 ? Buffer.alloc(CLUSTER) : noise(at, CLUSTER), at * CLUSTER);
    const back = (at - 9) * CLUSTER;
    if (at > 10) await disk.write(BASE.subarray(back, back + CLUSTER), back);
    await disk.close();
    const { version, mergedLayers } = await store.envs.commit('work');
    assert.equal(mergedLayers, 0);
    contents.set(version.digest, await contentOf(store.versions.openDisk(version.digest)));
  }
  return { ...scene, contents };
}

test('past 16 layers a commit writes the upper ones into its own, as one canonical layer', async () => {
  await using scene = await longChain();
  const { store } = scene;
  await writeEnv(store, 'work', 2.25 * MiB, noise('last', 3000));
  const parent = await store.versions.get('work@base');
  assert.equal(parent.layers.length, 16);
  const content = await readFrom(store.envs.openDisk('work'), 0, 2.5 * MiB);
  const { version, summary, changed, mergedLayers } = await store.envs.commit('work', { message: 'merged' });
  assert.equal(mergedLayers, 15);
  assert.deepEqual(changed, { dataClusters: 1, zeroClusters: 0 });
  assert.deepEqual(version.parents, [parent.digest]);
  assert.deepEqual(version.layers, [parent.layers[0], { digest: summary.digest, size: summary.fileSize }]);
  assert.ok((await readFrom(store.versions.openDisk('base'), 0, content.length)).equals(content));
  assert.equal((await store.envs.status('work')).changedClusters, 0);

  // What is written from the whole disk, looked at cluster by cluster, is the same file.
  await using below = await store.versions.openDisk('base~16');
  const [base] = parent.layers;
  assert.ok(base);
  const whole = await writeLayer(scene.path('whole'), {
    size: content.length,
    source: await diskOf(content),
    ranges: allData(content.length),
    compression: 'zstd',
    parent: below,
    backingFile: hexOf(base.digest),
  });
  assert.deepEqual(
    { ...whole, equalClusters: 0, equalDataClusters: 0 },
    { ...summary, equalClusters: 0, equalDataClusters: 0 },
  );
  const tip = await store.versions.path('base');
  await qemuImgCheck(tip);
  const raw = await scene.rawDisk('content.raw', content.length, { 0: content });
  await qemuImgCompare(raw, 'raw', tip, 'qcow2');

  for (const [digest, was] of scene.contents) {
    assert.equal(await contentOf(store.versions.openDisk(digest)), was);
  }
  await writeEnv(store, 'work', 0, noise('next', 10));
  assert.equal((await store.envs.commit('work')).version.layers.length, 3);
  const names = (await Array.fromAsync(store.versions.log('base'))).map(({ layers }) => layers.length);
  assert.deepEqual(names, [3, 2, ...Array.from({ length: 16 }, (_, at) => 16 - at)]);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a squash makes a version of one layer, the one that an import of the whole disk makes', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const raw = await scene.rawDisk('base.raw', MiB, { 0: BASE.subarray(0, 300_000) });
  await store.versions.import(raw, { ref: 'base' });
  await store.envs.create('base', { name: 'work' });
  await refused(store.envs.commit('work', { squash: true }), 'unchanged');
  await writeEnv(store, 'work', 0, noise('one', 70_000));
  await store.envs.commit('work');
  await writeEnv(store, 'work', 200_000, Buffer.alloc(100_000));
  const content = await readFrom(store.envs.openDisk('work'), 0, MiB);
  const before = await store.versions.get('base');
  const { version, changed, mergedLayers } = await store.envs.commit('work', { squash: true, ref: 'base' });
  assert.deepEqual(version.parents, [before.digest]);
  assert.deepEqual(version.made, { command: 'squash', from: 'work' });
  assert.deepEqual([version.layers.length, mergedLayers], [1, 2]);
  assert.deepEqual(changed, { dataClusters: 1, zeroClusters: 1 });
  const whole = await store.versions.import(await scene.rawDisk('whole.raw', MiB, { 0: content }));
  assert.deepEqual(whole.version.layers, version.layers);
  await qemuImgCheck(await store.envs.path('work'));

  // The env goes on, on the one layer; what differs across the squash is found by content.
  await writeEnv(store, 'work', MiB - 10, noise('two', 10));
  assert.equal((await store.envs.commit('work')).version.layers.length, 2);
  const differing = await Array.fromAsync(store.versions.diffBlocks('base~2', 'base'));
  assert.deepEqual(differing, [
    { kind: 'changed', offset: 196_608, length: 4096 },
    { kind: 'removed', offset: 200_704, length: 102_400 },
    { kind: 'added', offset: MiB - 4096, length: 4096 },
  ]);
  assert.deepEqual(await Array.fromAsync(store.versions.diffBlocks('base', 'base')), []);

  // What changed nothing may be flattened, once.
  const flat = await store.envs.commit('work', { squash: true });
  assert.deepEqual(flat.changed, { dataClusters: 0, zeroClusters: 0 });
  assert.deepEqual(await Array.fromAsync(store.versions.diffBlocks('base')), []);
  await refused(store.envs.commit('work', { squash: true }), 'unchanged');
  assert.deepEqual((await store.fsck()).problems, []);
});

test('where a merged layer finds no space, the commit goes without', async () => {
  await using folder = await temporaryFolder();
  const small = folder.join('small');
  await mkdir(small);
  await succeed('/bin/mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', small]);
  try {
    const store = new Store({ layout: await openLayout(join(small, 'store'), true), step: () => {} });
    await writeFile(join(small, 'disk.raw'), '');
    await truncate(join(small, 'disk.raw'), 2 * MiB);
    await store.versions.import(join(small, 'disk.raw'), { ref: 'disk' });
    await store.envs.create('disk', { name: 'work' });
    const commitOne = async (at: number): Promise<CommitResult> => {
      await writeEnv(store, 'work', at * CLUSTER, noise(at, CLUSTER));
      return store.envs.commit('work', { message: `${at}` });
    };
    for (let at = 0; at < 15; at += 1) await commitOne(at);
    const { bavail, bsize } = await statfs(small);
    const filler = join(small, 'filler');
    await writeFile(filler, Buffer.alloc(bavail * bsize - 1.25 * MiB));
    const crowded = await commitOne(15);
    assert.deepEqual([crowded.version.layers.length, crowded.mergedLayers], [17, 0]);
    await rm(filler);
    const { mergedLayers } = await commitOne(16);
    assert.equal(mergedLayers, 16);
  } finally {
    await succeed('/bin/umount', [small]);
  }
});
