import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { StagedLayer } from './staged-layer.ts';

const CLUSTER = 512;
const geometry = { size: 2 ** 30, clusterSize: CLUSTER, clusterBits: 9, tableEntries: 64, l1Size: 2 ** 15 };

async function counts(
  staged: StagedLayer,
): Promise<{ plain: number[]; compressed: number[]; kinds: string }> {
  const numbers = (list: StagedLayer['plainCounts']) =>
    Array.from({ length: list.length }, (_, at) => list.get(at));
  const kinds: string[] = [];
  for await (const { guest, kind, place, length } of staged.records())
    kinds.push(`${guest} ${kind} ${place}+${length}`);
  return {
    plain: numbers(staged.plainCounts),
    compressed: numbers(staged.compressedCounts),
    kinds: kinds.join(', '),
  };
}

test('a compressed cluster counts in every host cluster that it touches', async () => {
  await using folder = await temporaryFolder();
  await using staged = new StagedLayer(folder.join('layer'), geometry, 100);
  for (let guest = 0; guest < 3; guest += 1) await staged.addNew(guest, new Uint8Array(300).fill(guest));
  await staged.addZero(64);
  await staged.addShared(200, 1);
  await staged.addNew(201, new Uint8Array(CLUSTER));
  const { plain, compressed, kinds } = await counts(staged);
  assert.deepEqual(compressed, [3, 3]);
  assert.deepEqual(plain, [1]);
  assert.equal(
    kinds,
    '0 compressed 0+300, 1 compressed 300+300, 2 compressed 600+300, 64 zero 0+0, 200 compressed 300+300, 201 plain 0+0',
  );
  assert.deepEqual(
    [0, 1, 2].map((at) => staged.tables.get(at)),
    [0, 1, 3],
  );
  assert.equal(staged.tables.length, 3);
});

test('no refcount passes 65,535: data is placed again, past a host cluster that is full', async () => {
  await using folder = await temporaryFolder();
  await using staged = new StagedLayer(folder.join('layer'), geometry, 100);
  await staged.addNew(0, new Uint8Array(CLUSTER).fill(7));
  await staged.addNew(1, new Uint8Array(100).fill(8));
  await staged.addNew(2, new Uint8Array(100).fill(9));
  for (let guest = 3; guest < 65_538; guest += 1) await staged.addShared(guest, 0);
  for (let guest = 65_538; guest < 131_073; guest += 1) await staged.addShared(guest, 1);
  await staged.addShared(131_073, 2);
  const { plain, compressed } = await counts(staged);
  assert.deepEqual(plain, [65_535, 1]);
  assert.deepEqual(compressed, [65_535, 3]);
  assert.equal(staged.sharedClusters, 65_534 + 65_534);
  const again = new Uint8Array(200);
  await staged.compressed.read(again, CLUSTER);
  assert.deepEqual([again[0], again[99], again[100], again[199]], [8, 8, 9, 9]);
});

test('contents past those that are remembered are placed, and the others are still found', async () => {
  await using folder = await temporaryFolder();
  await using staged = new StagedLayer(folder.join('layer'), geometry, 1);
  await staged.addNew(0, new Uint8Array(CLUSTER).fill(1));
  await staged.addNew(1, new Uint8Array(CLUSTER).fill(2));
  await staged.addShared(2, 0);
  assert.deepEqual((await counts(staged)).plain, [2, 1]);
});
