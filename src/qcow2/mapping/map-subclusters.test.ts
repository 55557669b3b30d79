import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CalveError } from '../../errors/index.ts';
import type { Geometry } from '../geometry.ts';
import { emptyEntry, subclustersBetween } from './cluster-entry.ts';
import { mapSubclusters } from './map-subclusters.ts';
import { emptyMapping, type Mapping } from './mapping.ts';

const CLUSTER = 16_384;
const SUBCLUSTER = 512;
const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const EXTENDED: Geometry = {
  version: 3,
  size: 2 ** 40,
  clusterBits: 14,
  clusterSize: CLUSTER,
  entryBytes: 16,
  tableEntries: 1024,
  subclusters: 32,
  subclusterSize: SUBCLUSTER,
  dataFile: false,
  tableCovers: 1024 * CLUSTER,
  refcountBits: 16,
  blockEntries: 8192,
};
/** Standard entries, beside a data file. */
const DATA_FILE: Geometry = {
  ...EXTENDED,
  entryBytes: 8,
  tableEntries: 2048,
  subclusters: 1,
  subclusterSize: CLUSTER,
  dataFile: true,
  tableCovers: 2048 * CLUSTER,
};

/** The first half of an entry, then its zero bits and its alloc bits. */
type Entry = readonly [first: bigint, zero?: number, alloc?: number];

/** Maps in a table with these first entries; `offset` counts from the start of what table `tableIndex` maps. */
function map(
  entries: readonly Entry[],
  offset: number,
  { length = 1_000_000, geometry = EXTENDED, tableIndex = 3 } = {},
): Mapping {
  const table = Buffer.alloc(CLUSTER);
  entries.forEach(([first, zero = 0, alloc = 0], index) => {
    const at = index * geometry.entryBytes;
    table.writeBigUInt64BE(first, at);
    if (geometry.subclusters === 1) return;
    table.writeUInt32BE(zero, at + 8);
    table.writeUInt32BE(alloc, at + 12);
  });
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const mapping = emptyMapping();
  mapSubclusters(view, geometry, tableIndex * geometry.tableCovers + offset, length, mapping, emptyEntry());
  return mapping;
}

const at = (cluster: number) => COPIED | BigInt(cluster * CLUSTER);
const ALL = 0xffff_ffff;
const corrupt = (message: RegExp) => (error: unknown) => {
  assert.ok(CalveError.is(error, 'corrupt'), String(error));
  assert.match(error.message, message);
  return true;
};

describe('a guest range in extended L2 entries', () => {
  it('trap 15: is data, zeros or what lies below, by subclusters, as far as they are alike', () => {
    // Subclusters 0 to 3 are data, 4 to 7 zeros, 8 to 30 nothing, 31 data.
    const entries: Entry[] = [[at(10), 0xf0, 0x8000_000f]];
    const found = [0, 100, 4, 7.5, 8, 31].map((where) => {
      const offset = where === 100 ? 100 : where * SUBCLUSTER;
      const { kind, length, host } = map(entries, offset);
      return [kind, length, host - 10 * CLUSTER];
    });
    assert.deepEqual(found, [
      ['data', 4 * SUBCLUSTER, 0],
      ['data', 4 * SUBCLUSTER - 100, 100],
      ['zero-allocated', 4 * SUBCLUSTER, 4 * SUBCLUSTER],
      ['zero-allocated', SUBCLUSTER / 2, 7.5 * SUBCLUSTER],
      ['unallocated', 23 * SUBCLUSTER, 8 * SUBCLUSTER],
      ['data', SUBCLUSTER, 31 * SUBCLUSTER],
    ]);
  });

  it('goes on into the next cluster where that lies behind this one, and no further', () => {
    const entries: Entry[] = [
      [at(10), 0, 0xf000_0000],
      [at(11), 0, ALL],
      [at(12), 2, 1],
      [at(20), 0, ALL],
    ];
    assert.equal(map(entries, 28 * SUBCLUSTER).length, 4 * SUBCLUSTER + CLUSTER + SUBCLUSTER);
    assert.equal(map(entries, 28 * SUBCLUSTER, { length: 700 }).length, 700);
    assert.equal(map(entries, 2 * CLUSTER).length, SUBCLUSTER);
    assert.equal(map(entries, 3 * CLUSTER).length, CLUSTER);
    assert.equal(
      map(
        [
          [at(10), 0, ALL],
          [at(12), 0, ALL],
        ],
        0,
      ).length,
      CLUSTER,
    );
    // Trap 26: what is shared ends what is not.
    assert.equal(
      map(
        [
          [at(10), 0, ALL],
          [at(11) & ~COPIED, 0, ALL],
        ],
        0,
      ).length,
      CLUSTER,
    );
    assert.equal(map([[at(10) & ~COPIED, 0, ALL]], 0).copied, false);
  });

  it('is unallocated over clusters with and without a place, and zero apart from zero-allocated', () => {
    const entries: Entry[] = [[at(10)], [0n], [at(4), 1], [0n, ALL], [0n, 7]];
    assert.equal(map(entries, 0).length, 2 * CLUSTER);
    assert.deepEqual(
      [map(entries, 2 * CLUSTER).kind, map(entries, 2 * CLUSTER).length],
      ['zero-allocated', SUBCLUSTER],
    );
    assert.deepEqual(
      [map(entries, 3 * CLUSTER).kind, map(entries, 3 * CLUSTER).length],
      ['zero', CLUSTER + 3 * SUBCLUSTER],
    );
  });

  it('ends with its L2 table', () => {
    assert.equal(map([], 1023 * CLUSTER + 1).length, CLUSTER - 1);
  });

  it('trap 16: of a compressed cluster is that cluster, whatever its bitmap says', () => {
    const entry = COMPRESSED | (1n << 56n) | 10_100n;
    const mapping = map([[entry, ALL, ALL], [entry]], 12);
    assert.deepEqual(
      [mapping.kind, mapping.host, mapping.hostLength, mapping.length],
      ['compressed', 10_100, 2 * 512 - (10_100 % 512), CLUSTER - 12],
    );
    assert.equal(map([[at(1), 0, ALL], [entry]], 0).length, CLUSTER);
  });

  it('trap 14: bit 0 means nothing beside a bitmap', () => {
    assert.equal(map([[at(10) | 1n, 0, ALL]], 0).kind, 'data');
    assert.equal(map([[1n, 0, 0]], 0).kind, 'unallocated');
  });

  for (const [what, entry, message] of [
    ['trap 15: both allocated and zero', [at(10), 6, 2], /both allocated and zero, got 0x2$/],
    ['trap 15: allocated without a cluster', [0n, 0, 1], /without a cluster, got 0x1$/],
    ['in an unaligned cluster', [COPIED | 512n, 0, 1], /expected a multiple of 16384, got 512$/],
  ] as const) {
    it(`is refused where it is ${what}, and ends what lies ahead of it`, () => {
      assert.throws(() => map([entry], 100), corrupt(message));
      assert.throws(() => map([entry], 100), corrupt(/guest offset 50331648: /));
      assert.equal(map([[0n], entry], 0).length, CLUSTER);
    });
  }
});

describe('a guest range in entries beside a data file', () => {
  const inDataFile = { geometry: DATA_FILE, tableIndex: 0 };

  it('trap 22: lies where the guest has it, also at offset 0', () => {
    const entries: Entry[] = [[at(0)], [at(1)], [at(2) | 1n], [1n], [0n]];
    const found = [0, 2, 3, 4].map((index) => {
      const { kind, length, host } = map(entries, index * CLUSTER + 10, { length: 50_000, ...inDataFile });
      return [kind, length, host];
    });
    assert.deepEqual(found, [
      ['data', 2 * CLUSTER - 10, 10],
      ['zero-allocated', CLUSTER - 10, 2 * CLUSTER + 10],
      ['zero', CLUSTER - 10, 10],
      ['unallocated', 50_000, 10],
    ]);
  });

  it('trap 22: is refused at any other place, and where it is compressed', () => {
    const elsewhere = /guest offset 16384: expected the same offset in the data file, 16384, got 49152/;
    assert.throws(() => map([[0n], [at(3)]], CLUSTER, inDataFile), corrupt(elsewhere));
    assert.throws(
      () => map([[at(1)]], 0, inDataFile),
      corrupt(/expected the same offset in the data file, 0/),
    );
    const compressed = /no compressed cluster beside a data file/;
    assert.throws(() => map([[COMPRESSED | 512n]], 0, inDataFile), corrupt(compressed));
  });

  it('trap 22: has subclusters there too', () => {
    const geometry = { ...EXTENDED, dataFile: true };
    const entries: Entry[] = [
      [COPIED, 2, 1],
      [0n, 1],
    ];
    const kinds = [0, 1, 2, 32].map(
      (sub) => map(entries, sub * SUBCLUSTER, { geometry, tableIndex: 0 }).kind,
    );
    assert.deepEqual(kinds, ['data', 'zero-allocated', 'unallocated', 'zero']);
  });
});

it('the subclusters that bytes touch are bits', () => {
  const bits = (from: number, to: number) => subclustersBetween(EXTENDED, from, to);
  assert.deepEqual(
    [bits(0, 1), bits(511, 513), bits(0, CLUSTER), bits(CLUSTER - 1, CLUSTER), bits(512, CLUSTER)],
    [1, 3, ALL, 0x8000_0000, 0xffff_fffe],
  );
  assert.equal(subclustersBetween(DATA_FILE, 5, 6), 1);
});
