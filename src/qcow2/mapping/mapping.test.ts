import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Geometry } from '../geometry.ts';
import { emptyMapping, type Mapping, mapInTable } from './mapping.ts';

const CLUSTER = 512;
const COPIED = 1n << 63n;
const GEOMETRY: Geometry = {
  version: 3,
  size: 2 ** 40,
  clusterBits: 9,
  clusterSize: CLUSTER,
  entryBytes: 8,
  tableEntries: 64,
  subclusters: 1,
  subclusterSize: CLUSTER,
  dataFile: false,
  tableCovers: 64 * CLUSTER,
  refcountBits: 16,
  blockEntries: 256,
};

/** Maps in a table with these first entries; `offset` counts from the start of what the table maps. */
function map(entries: bigint[], offset: number, length: number, geometry = GEOMETRY): Mapping {
  const table = Buffer.alloc(CLUSTER);
  entries.forEach((entry, index) => {
    table.writeBigUInt64BE(entry, index * 8);
  });
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const mapping = emptyMapping();
  mapInTable(view, geometry, 7 * geometry.tableCovers + offset, length, mapping);
  return mapping;
}

const at = (cluster: number) => COPIED | BigInt(cluster * CLUSTER);

describe('a guest range', () => {
  it('is mapped as far as its clusters lie one after the other', () => {
    const entries = [at(10), at(11), at(12), at(20)];
    const mapping = map(entries, 100, 10_000);
    assert.deepEqual(mapping, { ...emptyMapping(), kind: 'data', length: 1436, host: 5220, copied: true });
    assert.equal(map(entries, 100, 600).length, 600);
    assert.equal(map(entries, 2 * CLUSTER, 10_000).length, CLUSTER);
  });

  it('trap 26: ends where clusters that are shared begin, and the other way round', () => {
    const shared = at(11) & ~COPIED;
    assert.equal(map([at(10), shared, at(12)], 0, 10_000).length, CLUSTER);
    assert.equal(map([at(10), shared, at(12)], CLUSTER, 10_000).length, CLUSTER);
    assert.equal(map([at(10), shared, at(12)], CLUSTER, 10_000).copied, false);
  });

  it('trap 14: goes on over zero clusters that own none, and apart from those that own one', () => {
    const entries = [1n, 1n | COPIED, at(5) | 1n, at(6) | 1n, at(6), 0n];
    assert.deepEqual(
      [0, 2, 4, 5].map((index) => {
        const { kind, length } = map(entries, index * CLUSTER, 10_000);
        return [kind, length / CLUSTER];
      }),
      [
        ['zero', 2],
        ['zero-allocated', 2],
        ['data', 1],
        ['unallocated', 10_000 / CLUSTER],
      ],
    );
  });

  it('ends with its L2 table', () => {
    assert.equal(map([], 60 * CLUSTER + 1, 10_000).length, 4 * CLUSTER - 1);
  });

  it('trap 16: of a compressed cluster is that cluster alone, with all the sectors that its data may take', () => {
    const entry = (1n << 62n) | (1n << 61n) | 10_100n;
    const mapping = map([entry, entry], 12, 10_000);
    assert.equal(mapping.kind, 'compressed');
    assert.deepEqual(
      [mapping.host, mapping.hostLength, mapping.length],
      [10_100, 2 * 512 - (10_100 % 512), 500],
    );
  });

  it('is refused where no writer puts a cluster', () => {
    const geometry = { ...GEOMETRY, clusterBits: 16, clusterSize: 65_536, tableCovers: 8192 * 65_536 };
    assert.throws(
      () => map([COPIED | 512n], 0, 10, geometry),
      /guest offset 3758096384: expected a multiple of 65536/,
    );
    assert.throws(() => map([1n], 0, 10, { ...GEOMETRY, version: 2 }), /no zero flag in version 2/);
  });
});
