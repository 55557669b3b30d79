import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CheckGeometry } from './check-geometry.ts';
import { isL2EntryBad, mendL1Entry, mendL2Entry } from './mend-entry.ts';

const CLUSTER = 65_536;
const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const ZEROS = 1n;

function geometry(change: Partial<CheckGeometry> = {}): CheckGeometry {
  return {
    version: 3,
    clusterBits: 16,
    clusterSize: CLUSTER,
    entryBytes: change.subclusters ? 16 : 8,
    tableEntries: 8192,
    subclusters: false,
    dataFile: false,
    backed: false,
    refcountBits: 16,
    blockEntries: 32_768,
    fileEnd: 100 * CLUSTER,
    clusters: 100,
    ...change,
  };
}

/** What an entry, and its bitmap, become; undefined when nothing is changed. */
function mended(entry: bigint, change: Partial<CheckGeometry> = {}, bitmap = 0n): bigint[] | undefined {
  const table = new DataView(new ArrayBuffer(16));
  table.setBigUint64(0, entry);
  table.setBigUint64(8, bitmap);
  const wasChanged = mendL2Entry(table, 0, geometry(change));
  const result = [table.getBigUint64(0), table.getBigUint64(8)];
  assert.equal(wasChanged, result[0] !== entry || result[1] !== bitmap);
  return wasChanged ? result : undefined;
}

const inFile = BigInt(5 * CLUSTER);
const behind = BigInt(200 * CLUSTER);

describe('mendL2Entry', () => {
  it('leaves sound entries alone', () => {
    for (const entry of [0n, COPIED | inFile, inFile, inFile | ZEROS, ZEROS, COMPRESSED | inFile]) {
      assert.equal(mended(entry), undefined, entry.toString(16));
    }
    assert.equal(mended(inFile, { subclusters: true }, 0xffff_0000_0000_ffffn), undefined);
    assert.equal(mended(0n, { subclusters: true }, 0xffff_ffff_0000_0000n), undefined);
  });

  it('clears what readers pass over', () => {
    assert.deepEqual(mended(COPIED | inFile | (1n << 57n) | 6n), [COPIED | inFile, 0n]);
    assert.deepEqual(mended(COMPRESSED | COPIED | inFile), [COMPRESSED | inFile, 0n]);
    assert.deepEqual(mended(COMPRESSED | inFile, { subclusters: true }, 7n), [COMPRESSED | inFile, 0n]);
  });

  it('has zeros read where an entry leads nowhere', () => {
    for (const entry of [behind, COPIED | behind, inFile | 512n, inFile | 513n, COMPRESSED | behind]) {
      assert.deepEqual(mended(entry), [ZEROS, 0n], entry.toString(16));
    }
  });

  it('says zeros in version 2 by saying nothing, and not where a backing file would show', () => {
    assert.deepEqual(mended(behind, { version: 2 }), [0n, 0n]);
    assert.equal(mended(behind, { version: 2, backed: true }), undefined);
    assert.deepEqual(mended(behind, { version: 3, backed: true }), [ZEROS, 0n]);
  });

  it('has those subclusters read zeros that were not the backing file’s', () => {
    const subclusters = true;
    assert.deepEqual(mended(behind, { subclusters }, 0x0000_00f0_0000_000fn), [0n, 0x0000_00ff_0000_0000n]);
    assert.deepEqual(mended(0n, { subclusters }, 0x0000_0001_0000_0006n), [0n, 0x0000_0007_0000_0000n]);
    const both = mended(inFile, { subclusters }, 0x0000_0003_0000_0006n);
    assert.deepEqual(both, [inFile, 0x0000_0003_0000_0004n]);
    assert.deepEqual(mended(COMPRESSED | behind, { subclusters }), [0n, 0xffff_ffff_0000_0000n]);
  });

  it('leaves the places in a data file alone', () => {
    assert.equal(mended(COPIED | behind, { dataFile: true }), undefined);
    assert.equal(mended(COMPRESSED | inFile, { dataFile: true }), undefined);
  });

  it('leaves no entry bad that it may change, and needs no second time', () => {
    const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
    fc.assert(
      fc.property(word, word, fc.boolean(), (entry, bitmap, subclusters) => {
        const table = new DataView(new ArrayBuffer(16));
        table.setBigUint64(0, entry);
        table.setBigUint64(8, bitmap);
        mendL2Entry(table, 0, geometry({ subclusters }));
        assert.equal(isL2EntryBad(table, 0, geometry({ subclusters })), false);
        assert.equal(mendL2Entry(table, 0, geometry({ subclusters })), false);
      }),
    );
  });
});

describe('mendL1Entry', () => {
  const mendedL1 = (entry: bigint, change: Partial<CheckGeometry> = {}): bigint => {
    const table = new DataView(new ArrayBuffer(8));
    table.setBigUint64(0, entry);
    assert.equal(mendL1Entry(table, 0, geometry(change)), table.getBigUint64(0) !== entry);
    return table.getBigUint64(0);
  };

  it('clears reserved bits, and what leads nowhere', () => {
    assert.equal(mendedL1(COPIED | inFile), COPIED | inFile);
    assert.equal(mendedL1(0n), 0n);
    assert.equal(mendedL1(COPIED | inFile | (1n << 60n) | 3n), COPIED | inFile);
    for (const entry of [COPIED, 5n, COPIED | behind, inFile | 512n]) assert.equal(mendedL1(entry), 0n);
  });

  it('keeps an unaligned one where the backing file would show', () => {
    assert.equal(mendedL1(inFile | 512n, { backed: true }), inFile | 512n);
    assert.equal(mendedL1(behind, { backed: true }), 0n);
  });
});
