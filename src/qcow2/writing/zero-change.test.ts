import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ClusterEntry, emptyEntry } from '../mapping/cluster-entry.ts';
import { zeroChange, zeroEntry } from './zero-change.ts';

const geometry = { subclusters: 32 };
const ALL = 0xffff_ffff;
const entry = (fields: Partial<ClusterEntry>): ClusterEntry => ({ ...emptyEntry(), ...fields });
const cluster = (zero: number, alloc: number, copied = true) =>
  entry({ owned: 'cluster', copied, zero, alloc });

describe('what an L2 entry needs to read zeros', () => {
  const over = { geometry, storage: 'punched', namesBacking: true } as const;
  const alone = { geometry, storage: 'punched', namesBacking: false } as const;
  const kept = { geometry, storage: 'kept', namesBacking: true } as const;

  it('trap 15: is zero bits, with and without a cluster', () => {
    assert.equal(zeroChange(entry({}), 6, over), 'bits');
    assert.equal(zeroChange(entry({ zero: 7 }), 6, over), 'none');
    assert.equal(zeroChange(entry({}), 6, alone), 'none');
    assert.equal(zeroChange(cluster(0, 7), 6, over), 'bits');
    assert.equal(zeroChange(cluster(0, 8), 6, alone), 'none');
    const changed = cluster(0x8000_0000, 7);
    zeroEntry(changed, 6, 'bits', over);
    assert.deepEqual(changed, cluster(0x8000_0006, 1));
  });

  it('is no cluster any more when no data is left, unless its storage is kept', () => {
    for (const request of [over, alone]) {
      assert.equal(zeroChange(cluster(0, 6), 6, request), 'release');
      assert.equal(zeroChange(cluster(0, ALL), ALL, request), 'release');
    }
    assert.equal(zeroChange(cluster(0, 6), 6, kept), 'bits');
    assert.equal(zeroChange(cluster(0, ALL), ALL, kept), 'bits');
    assert.equal(zeroChange(cluster(ALL, 0), ALL, kept), 'none');
    const [shown, hidden] = [cluster(1, 6), cluster(1, 6)];
    zeroEntry(shown, 6, 'release', over);
    assert.deepEqual(shown, entry({ zero: 7, copied: true }));
    zeroEntry(hidden, 6, 'release', alone);
    assert.deepEqual(hidden, entry({ copied: true }));
  });

  it('trap 26: is a share given up where the whole is asked for', () => {
    assert.equal(zeroChange(cluster(0, ALL, false), ALL, kept), 'release');
    assert.equal(zeroChange(cluster(0, ALL, false), 6, kept), 'bits');
  });

  it('trap 15: cannot be said of a part of a compressed cluster', () => {
    assert.equal(zeroChange(entry({ owned: 'compressed' }), 6, over), 'data');
    assert.equal(zeroChange(entry({ owned: 'compressed' }), ALL, kept), 'release');
  });
});
