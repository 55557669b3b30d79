import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Geometry } from '../geometry.ts';
import { type ClusterEntry, emptyEntry } from '../mapping/cluster-entry.ts';
import { type DataBounds, rangesAround } from './ranges-around.ts';

const CLUSTER = 65_536;
const SUBCLUSTER = 2048;
const GEOMETRY: Geometry = {
  version: 3,
  size: 2 ** 40,
  clusterBits: 16,
  clusterSize: CLUSTER,
  entryBytes: 16,
  tableEntries: 4096,
  subclusters: 32,
  subclusterSize: SUBCLUSTER,
  dataFile: false,
  tableCovers: 4096 * CLUSTER,
  refcountBits: 16,
  blockEntries: 32_768,
};
const STANDARD: Geometry = { ...GEOMETRY, entryBytes: 8, subclusters: 1, subclusterSize: CLUSTER };

const nothing = emptyEntry();
const cluster = (alloc: number): ClusterEntry => ({ ...nothing, owned: 'cluster', host: CLUSTER, alloc });

function around(offset: number, length: number, more: Partial<DataBounds> = {}): [number, number][] {
  const bounds = {
    geometry: GEOMETRY,
    unit: 1,
    placed: false,
    first: nothing,
    last: nothing,
    offset,
    length,
  };
  return rangesAround({ ...bounds, ...more }).map(({ from, to }) => [from, to]);
}

describe('what is written around data', () => {
  it('is the rest of the subclusters that it touches, and of standard clusters', () => {
    assert.deepEqual(around(5000, 100), [
      [4096, 5000],
      [5100, 6144],
    ]);
    assert.deepEqual(around(4096, 2048), []);
    assert.deepEqual(around(5000, 70_000), [
      [4096, 5000],
      [75_000, 75_776],
    ]);
    assert.deepEqual(around(5000, 100, { geometry: STANDARD }), [
      [0, 5000],
      [5100, CLUSTER],
    ]);
  });

  it('is up to a unit alone where there is data in place', () => {
    const placed = { placed: true, first: cluster(0b100), last: cluster(0b100) };
    assert.deepEqual(around(5000, 100, placed), []);
    assert.deepEqual(around(5000, 100, { ...placed, unit: 512 }), [
      [4608, 5000],
      [5100, 5120],
    ]);
    // From a subcluster with data into one without.
    assert.deepEqual(around(5000, 2000, placed), [[7000, 8192]]);
  });

  it('takes along what a shared cluster has beside, and nothing else of it', () => {
    const shared = cluster(0x8000_0000 | 0b1_0110);
    const found = around(5000, 100, { first: shared, last: shared });
    assert.deepEqual(found, [
      [2048, 5000],
      [5100, 6144],
      [8192, 10_240],
      [63_488, CLUSTER],
    ]);
  });

  it('takes along all of a compressed cluster, at both ends of the data', () => {
    const packed: ClusterEntry = { ...nothing, owned: 'compressed' };
    assert.deepEqual(around(5000, 100, { first: packed, last: packed }), [
      [0, 5000],
      [5100, CLUSTER],
    ]);
    const ends = around(5000, 70_000, { first: cluster(1), last: packed });
    assert.deepEqual(ends, [
      [0, 2048],
      [4096, 5000],
      [75_000, 2 * CLUSTER],
    ]);
  });
});
