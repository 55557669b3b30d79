import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Extent } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { type ClusterRun, clusterRuns } from './cluster-runs.ts';

type Piece = [offset: number, length: number, kind: Extent['kind']];

async function* extents(pieces: readonly Piece[]): AsyncGenerator<Extent> {
  for (const [offset, length, kind] of pieces) yield { offset, length, kind, depth: 0 };
}

async function runsOf(
  pieces: readonly Piece[],
  clusterSize: number,
  size: number,
  dataEnd = size,
): Promise<ClusterRun[]> {
  return Array.fromAsync(clusterRuns(extents(pieces), clusterSize, size, dataEnd));
}

test('an extent is widened to the clusters that it touches', async () => {
  assert.deepEqual(await runsOf([[700, 400, 'data']], 512, 4096), [{ first: 1, count: 2, zero: false }]);
});

test('extents that share a cluster visit it once', async () => {
  const pieces: Piece[] = [
    [0, 100, 'data'],
    [100, 100, 'data'],
    [150, 1000, 'data'],
    [1200, 10, 'data'],
  ];
  assert.deepEqual(await runsOf(pieces, 512, 4096), [
    { first: 0, count: 1, zero: false },
    { first: 1, count: 2, zero: false },
  ]);
});

test('a cluster is known to be zero only where one extent covers it, or covers it to the end of the disk', async () => {
  assert.deepEqual(await runsOf([[100, 1900, 'zero']], 512, 4096), [
    { first: 0, count: 1, zero: false },
    { first: 1, count: 2, zero: true },
    { first: 3, count: 1, zero: false },
  ]);
  assert.deepEqual(await runsOf([[512, 88, 'unallocated']], 512, 600), [{ first: 1, count: 1, zero: true }]);
  assert.deepEqual(await runsOf([[600, 100, 'zero']], 512, 4096), [{ first: 1, count: 1, zero: false }]);
});

test('past the end of the data every cluster is known to be zero', async () => {
  assert.deepEqual(await runsOf([[0, 4096, 'data']], 512, 4096, 600), [
    { first: 0, count: 2, zero: false },
    { first: 2, count: 6, zero: true },
  ]);
});

test('extents out of order or outside the disk are refused', async () => {
  const outOfRange = (error: unknown) => CalveError.is(error, 'out-of-range');
  await assert.rejects(
    runsOf(
      [
        [512, 512, 'data'],
        [0, 512, 'data'],
      ],
      512,
      4096,
    ),
    outOfRange,
  );
  await assert.rejects(runsOf([[4000, 200, 'data']], 512, 4096), outOfRange);
  await assert.rejects(runsOf([[-1, 2, 'data']], 512, 4096), outOfRange);
  await assert.rejects(runsOf([[Number.NaN, 2, 'data']], 512, 4096), outOfRange);
});

test('whatever the extents: clusters ascend, none comes twice, all that are touched come, zeros only where said', async () => {
  const size = 40 * 512 + 100;
  const piece = fc.tuple(
    fc.nat(size - 1),
    fc.integer({ min: 0, max: 5000 }),
    fc.constantFrom('data', 'zero', 'unallocated'),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.nat(size), async (drawn, dataEnd) => {
      const pieces = drawn
        .map(
          ([offset, length, kind]): Piece => [
            offset,
            Math.min(length, size - offset),
            kind as Extent['kind'],
          ],
        )
        .sort((a, b) => a[0] - b[0]);
      const found = new Map<number, boolean>();
      let next = 0;
      for (const { first, count, zero } of await runsOf(pieces, 512, size, dataEnd)) {
        assert.ok(first >= next && count > 0);
        next = first + count;
        for (let cluster = first; cluster < next; cluster += 1) found.set(cluster, zero);
      }
      for (let cluster = 0; cluster * 512 < size; cluster += 1) {
        const [start, end] = [cluster * 512, Math.min(size, (cluster + 1) * 512)];
        const touching = pieces.filter(([at, length]) => length > 0 && at < end && at + length > start);
        assert.equal(found.has(cluster), touching.length > 0, `cluster ${cluster}`);
        if (!found.get(cluster)) continue;
        const covered = touching.some(
          ([at, length, kind]) => kind !== 'data' && at <= start && at + length >= end,
        );
        assert.ok(covered || start >= dataEnd, `cluster ${cluster} is not known to be zero`);
      }
    }),
    { numRuns: 300 },
  );
});
