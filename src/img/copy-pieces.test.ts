import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Extent } from '../disk/index.ts';
import { copyPieces } from './copy-pieces.ts';

type Listed = readonly [offset: number, length: number, kind: Extent['kind']];

async function pieces(list: readonly Listed[], options: Parameters<typeof copyPieces>[1]): Promise<string> {
  async function* extents(): AsyncGenerator<Extent> {
    for (const [offset, length, kind] of list) yield { offset, length, kind, depth: 0 };
  }
  const found = await Array.fromAsync(copyPieces(extents(), options));
  return found.map(({ offset, length, zero }) => `${zero ? 'zero' : 'data'} ${offset}+${length}`).join(', ');
}

test('neighbours that are alike are one, and cut where a piece ends', async () => {
  const list: Listed[] = [
    [0, 500, 'data'],
    [500, 1500, 'data'],
    [2000, 1000, 'zero'],
    [3000, 1000, 'unallocated'],
  ];
  const options = { size: 4000, clusterSize: 1, most: 1024 };
  assert.equal(await pieces(list, options), 'data 0+1024, data 1024+976, zero 2000+2000');
});

test('a cluster is data when any part of it is', async () => {
  const options = { size: 1050, clusterSize: 100, most: 1000 };
  const list: Listed[] = [
    [0, 250, 'zero'],
    [250, 10, 'data'],
    [260, 500, 'zero'],
    [760, 20, 'data'],
    [780, 270, 'zero'],
  ];
  assert.equal(
    await pieces(list, options),
    'zero 0+200, data 200+100, zero 300+400, data 700+100, zero 800+250',
  );
});

test('what lies in no extent is left out, but for the rest of a cluster', async () => {
  const options = { size: 1050, clusterSize: 100, most: 200 };
  const list: Listed[] = [
    [20, 10, 'zero'],
    [40, 10, 'data'],
    [330, 10, 'data'],
    [390, 120, 'zero'],
    [1020, 30, 'data'],
  ];
  assert.equal(await pieces(list, options), 'data 0+100, data 300+100, zero 400+200, data 1000+50');
});
