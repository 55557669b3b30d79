import assert from 'node:assert/strict';
import { chmod, open, readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { qemuImgCheck, qemuImgCompare } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { type Disk, MemoryDisk } from '../disk/index.ts';
import { sampleDisk } from './sample-disk.ts';
import type { NearestSearch } from './types.ts';

const CLUSTER = 65536;

/** A disk of these clusters, each of noise that is the same for the same word. */
function clustersOf(words: readonly string[]): Record<number, Uint8Array> {
  return Object.fromEntries(words.map((word, cluster) => [cluster * CLUSTER, noise(word, CLUSTER)]));
}

/** `count` words that begin alike. */
function words(word: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${word} ${at}`);
}

/** Imports a disk of these clusters, by default onto what is nearest. */
async function importClusters(
  { store, rawDisk }: StoreScene,
  ref: string,
  clusters: readonly string[],
  { size = 4 * MiB, onto = 'auto' }: { size?: number; onto?: string | null } = {},
) {
  const file = await rawDisk(`${ref.replaceAll(':', '-')}.raw`, size, clustersOf(clusters));
  const told: NearestSearch[] = [];
  const result = await store.versions.import(file, { ref, onto, onNearest: (found) => told.push(found) });
  assert.deepEqual(told, result.nearest === null ? [] : [result.nearest]);
  return { ...result, file };
}

test('of several versions the one is found that has the most, also among ancestors, and of another size', async () => {
  await using scene = await storeScene();
  const first = await importClusters(scene, 'a:1', words('a', 20));
  assert.deepEqual(first.nearest, { version: null, ref: null, compared: 0, sampled: 20, equal: 0 });
  const other = await importClusters(scene, 'b:1', words('b', 20));
  assert.deepEqual(other.nearest, { version: null, ref: null, compared: 1, sampled: 20, equal: 0 });
  assert.deepEqual(other.version.parents, []);

  const grown = await importClusters(scene, 'c:1', [...words('a', 15), ...words('c', 5)], { size: 6 * MiB });
  assert.deepEqual(grown.nearest, {
    version: first.version.digest,
    ref: 'a:1',
    compared: 2,
    sampled: 20,
    equal: 15,
  });
  assert.deepEqual(grown.version.parents, [first.version.digest]);
  await qemuImgCompare(grown.file, 'raw', await scene.store.versions.path('c:1'), 'qcow2');
  await qemuImgCheck(await scene.store.versions.path('c:1'));
  assert.deepEqual([grown.summary.dataClusters, grown.summary.equalDataClusters], [5, 15]);

  // The ref moves on, to what shares little with the first version; that is still found under it.
  const moved = await importClusters(scene, 'a:1', [...words('a', 4), ...words('d', 16)], { onto: 'a:1' });
  await scene.store.refs.remove('c:1');
  const again = await importClusters(scene, 'e:1', [...words('a', 19), 'e']);
  assert.deepEqual(again.nearest, {
    version: first.version.digest,
    ref: null,
    compared: 3,
    sampled: 20,
    equal: 19,
  });
  assert.notEqual(moved.version.digest, first.version.digest);
  assert.deepEqual((await scene.store.fsck()).problems, []);
});

test('a ref that is there moves to what is near its own version, however near another is', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const own = await importClusters(scene, 'own', words('a', 20));
  await importClusters(scene, 'nearer', [...words('a', 5), ...words('b', 15)], { onto: null });
  const moved = await importClusters(scene, 'own', [...words('a', 10), ...words('b', 20).slice(10)]);
  assert.deepEqual(moved.version.parents, [own.version.digest]);
  assert.deepEqual(moved.nearest?.ref, 'own:latest');
  assert.equal((await store.refs.get('own')).version, moved.version.digest);
});

test('a ref that is there does not move to what is not near its version, and nothing is stored', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const own = await importClusters(scene, 'own', words('a', 20));
  await importClusters(scene, 'twin', words('b', 20));
  const error = await refused(
    importClusters(scene, 'own', [...words('a', 1), ...words('b', 20).slice(1)]),
    'exists',
    /own:latest is version .* already, .*own\.raw is no descendant of it .* 1 of 20 sampled clusters are equal/,
  );
  assert.match(error.hint ?? '', /calve import .* own:latest --onto own:latest/);
  assert.equal((await store.refs.get('own')).version, own.version.digest);
  assert.equal((await store.fsck()).checked.versions, 2);
});

test('a harmed version is passed over, and said to be; one that is named, or is the ref’s own, is refused', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  const farther = await importClusters(scene, 'farther', [...words('a', 10), ...words('b', 10)]);
  const nearer = await importClusters(scene, 'nearer', words('a', 20), { onto: null });
  const [layer] = nearer.version.layers;
  assert.ok(layer);
  const path = context.layout.blob(layer.digest);
  await chmod(path, 0o644);
  await using file = await open(path, 'r+');
  const last = await readFile(path);
  await file.write(Buffer.from([~(last.at(-1) ?? 0)]), 0, 1, last.length - 1);

  const imported = await importClusters(scene, 'new', [...words('a', 18), 'n', 'n']);
  assert.deepEqual(imported.version.parents, [farther.version.digest]);
  assert.match(imported.warnings.join(), /was passed over: layer .* has changed/);
  await refused(importClusters(scene, 'nearer', words('a', 19)), 'changed');

  await rm(path);
  const without = await importClusters(scene, 'newer', words('a', 18));
  assert.notDeepEqual(without.version.parents, []);
  assert.match(without.warnings.join(), /was passed over/);
});

test('no more than 32 versions are compared, those of the refs that moved last', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await importClusters(scene, 'old', words('a', 20));
  for (let at = 0; at < 33; at += 1) {
    const file = await scene.rawDisk('filler.raw', MiB, clustersOf([`filler ${at}`]));
    await store.versions.import(file, { ref: `filler:${at}` });
  }
  const missed = await importClusters(scene, 'new:1', words('a', 19));
  assert.deepEqual([missed.nearest?.compared, missed.nearest?.version], [32, null]);
  await store.refs.set('old:again', 'old');
  const found = await importClusters(scene, 'new:2', [...words('a', 18), 'n']);
  assert.deepEqual([found.nearest?.compared, found.nearest?.version !== null], [32, true]);
});

/** A disk that says all of it is data, as a raw file does where the file system cannot tell. */
async function solidDisk(size: number, data: readonly number[]): Promise<Disk> {
  const disk = new MemoryDisk(size);
  for (const cluster of data) await disk.write(Buffer.alloc(CLUSTER, `${cluster} `), cluster * CLUSTER);
  return {
    size,
    read: (into, offset) => disk.read(into, offset),
    close: () => disk.close(),
    [Symbol.asyncDispose]: () => disk.close(),
  };
}

test('a sample is spread over the data, the same every time, bounded, and has no zeros in it', async () => {
  const data = Array.from({ length: 1000 }, (_, at) => 2000 + at);
  const disk = new MemoryDisk(4000 * CLUSTER);
  for (const cluster of data) await disk.write(Buffer.alloc(CLUSTER, `${cluster} `), cluster * CLUSTER);
  const sample = await sampleDisk(disk);
  assert.equal(sample.length, 256);
  assert.deepEqual(await sampleDisk(disk), sample);
  assert.equal(new Set(sample.map(({ cluster }) => cluster)).size, 256);
  for (let tenth = 2000; tenth < 3000; tenth += 100) {
    const inside = sample.filter(({ cluster }) => cluster >= tenth && cluster < tenth + 100).length;
    assert.ok(inside > 10 && inside < 45, `${inside} of the clusters from ${tenth} on`);
  }
  // Stored zeros do not count: of 500 clusters 100 hold something.
  const solid = await solidDisk(
    500 * CLUSTER,
    data.slice(0, 100).map((cluster) => (cluster - 2000) * 5),
  );
  assert.equal((await sampleDisk(solid)).length, 100);
  assert.deepEqual(await sampleDisk(new MemoryDisk(0)), []);
});
