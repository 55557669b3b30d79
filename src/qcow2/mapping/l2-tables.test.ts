import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { CacheBudget } from '../bounded-cache.ts';
import { ImageFile } from '../image-file.ts';
import { L1Table } from './l1-table.ts';
import { L2Tables } from './l2-tables.ts';

const CLUSTER = 512;

/** Two L2 tables, in clusters 1 and 2 of a file, and memory for one. */
function tables(): { storage: CrashStorage; tables: L2Tables; l1: L1Table } {
  const storage = new CrashStorage('image', Buffer.alloc(4 * CLUSTER));
  const l1 = new L1Table(new Uint8Array(16), 3 * CLUSTER);
  l1.set(0, CLUSTER);
  l1.set(1, 2 * CLUSTER);
  const file = new ImageFile(storage);
  return {
    storage,
    l1,
    tables: new L2Tables(file, l1, { clusterSize: CLUSTER, entryBytes: 8 }, new CacheBudget(CLUSTER)),
  };
}

describe('the L2 tables of an image', () => {
  it('are read once, however many ask at one time', async () => {
    const { storage, tables: l2 } = tables();
    let reads = 0;
    const read = storage.readSync.bind(storage);
    // Whichever way they are read, it ends here.
    storage.readSync = (into, offset) => {
      reads += 1;
      return read(into, offset);
    };
    const [one, two] = await Promise.all([l2.load(0), l2.load(0)]);
    assert.equal(one, two);
    assert.equal(reads, 1);
    assert.equal(l2.cached(0), one);
    await l2.load(1);
    assert.equal(l2.cached(0), undefined, 'memory for one alone');
  });

  it('are never lost once changed, also when one is just being read again', async () => {
    const { storage, tables: l2 } = tables();
    const table = await l2.load(0);
    await l2.load(1);
    const again = l2.load(0);
    table.set(3, 0x80000000, 0x600);
    l2.markDirty(table);
    assert.equal(await again, table);
    await l2.load(1);
    assert.equal(l2.cached(0), table);
    assert.equal(l2.dirtyBytes, CLUSTER);
    await l2.write(() => {});
    assert.equal(storage.content.readBigUInt64BE(CLUSTER + 24), 0x8000000000000600n);
    assert.equal(l2.dirty, false);
  });

  it('are written where they changed, in whole sectors, and whole where they are new', async () => {
    const storage = new CrashStorage('image', Buffer.alloc(16 * 4096));
    const l1 = new L1Table(new Uint8Array(16), 4096);
    l1.set(0, 2 * 4096);
    const l2 = new L2Tables(
      new ImageFile(storage),
      l1,
      { clusterSize: 4096, entryBytes: 8 },
      new CacheBudget(2 ** 20),
    );
    const written: [number, number][] = [];
    storage.write = async (from, offset) => {
      written.push([offset, from.length]);
    };
    const table = await l2.load(0);
    table.set(70, 1, 0);
    table.set(130, 1, 0);
    l2.markDirty(table);
    l2.create(1, 3 * 4096);
    await l2.write(() => {});
    assert.deepEqual(written, [
      [2 * 4096 + 512, 1024],
      [3 * 4096, 4096],
    ]);
  });
});
