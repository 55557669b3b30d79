import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { DiskModel } from '../../../test/support/disk-model.ts';
import { qemuImgCheck, qemuImgCompare } from '../../../test/support/qemu.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Disk, MemoryDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { Chain } from '../chain.ts';
import { type EmptyImageOptions, encodeEmptyImage } from '../empty-image.ts';
import { openImage } from '../open-image.ts';
import type { Qcow2Disk } from '../qcow2-disk.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const CLUSTER = 4096;

/** A file whose operations a test can hold up or let fail. */
class TestStorage extends CrashStorage {
  /** Called ahead of each operation; what it throws, the operation throws. */
  ahead: (operation: 'read' | 'write' | 'datasync', offset: number) => Promise<void> | void = () => {};

  /** Synchronous reads take as long as a device does, so that the next reads are not made so. */
  slow = false;

  override readSync(into: Uint8Array, offset: number): number {
    for (const end = performance.now() + 1; this.slow && performance.now() < end; );
    return super.readSync(into, offset);
  }

  override async read(into: Uint8Array, offset: number): Promise<number> {
    await this.ahead('read', offset);
    return super.read(into, offset);
  }

  override async write(from: Uint8Array, offset: number): Promise<void> {
    await this.ahead('write', offset);
    return super.write(from, offset);
  }

  override async datasync(): Promise<void> {
    await this.ahead('datasync', 0);
    return super.datasync();
  }
}

async function open(
  options: Partial<EmptyImageOptions> = {},
  backing: Disk | null = null,
): Promise<{ storage: TestStorage; disk: Qcow2Disk }> {
  const storage = new TestStorage(
    'image.qcow2',
    encodeEmptyImage({ size: 64 * CLUSTER, clusterSize: CLUSTER, ...options }),
  );
  return { storage, disk: await reopen(storage, backing) };
}

async function reopen(storage: TestStorage, backing: Disk | null = null): Promise<Qcow2Disk> {
  return openImage(storage, { writable: true, chain: Chain.begin(), openBacking: async () => backing });
}

const filled = (value: number, length = CLUSTER) => Buffer.alloc(length, value);
/** All that can happen without the operation that is held up has happened. */
const settled = async () => {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

async function assertSound(storage: TestStorage, content?: Buffer): Promise<void> {
  const [image, raw] = [folder.join('image.qcow2'), folder.join('flat.raw')];
  await writeFile(image, storage.content);
  await qemuImgCheck(image);
  if (!content) return;
  await writeFile(raw, content);
  await qemuImgCompare(image, 'qcow2', raw, 'raw');
}

describe('writing to an image', () => {
  it('trap 23: puts refcounts on disk before L2 entries, and those before L1 entries', async () => {
    const { storage, disk } = await open();
    const log: (string | number)[] = [];
    storage.ahead = (operation, offset) => {
      if (operation !== 'read') log.push(operation === 'write' ? Math.floor(offset / CLUSTER) : operation);
    };
    await disk.write(filled(1), 0);
    await disk.flush();
    // The new L2 table is cluster 4, the new data 5; refcount block, L1 table are 2 and 3 (empty-image.ts).
    assert.deepEqual(log, [5, 2, 'datasync', 4, 'datasync', 3, 'datasync']);
    log.length = 0;
    await disk.flush();
    assert.deepEqual(log, [], 'a flush with nothing to flush does nothing');
    await disk.write(filled(2), 0);
    await disk.flush();
    assert.deepEqual(log, [5, 'datasync'], 'data in place needs no metadata');
    await disk.close();
  });

  it('trap 23: puts a refcount block on disk before the table that names it, and that before the header', async () => {
    const { storage, disk } = await open({ size: 4 * 1024 ** 2, clusterSize: 512, refcountBits: 64 });
    // Blocks count 64 clusters each, and the table has room for 64 blocks, which is 2 MiB of clusters.
    const log: { at: number; length: number }[] = [];
    const SYNC = { at: -1, length: 0 };
    storage.ahead = (operation) => {
      if (operation === 'datasync') log.push(SYNC);
    };
    const write = storage.write.bind(storage);
    storage.write = (from, offset) => {
      log.push({ at: offset, length: from.length });
      return write(from, offset);
    };
    const following = (index: number) => log.slice(index + 1, index + 2);
    await disk.write(filled(1, 64 * 512), 0);
    await disk.flush();
    const block = log.findIndex(({ at }) => at === 64 * 512);
    assert.ok(block >= 0, 'the second block lies in the first cluster that it counts');
    assert.deepEqual(log[block + 1], SYNC);
    assert.deepEqual(log[block + 2], { at: 512 + 8, length: 8 }, 'the table entry');
    assert.deepEqual(following(block + 2), [SYNC]);
    log.length = 0;
    await disk.write(filled(2, 2 * 1024 ** 2), 1024 ** 2);
    await disk.flush();
    const header = log.findIndex(({ at }) => at === 0);
    assert.deepEqual([log[header - 1], log[header - 3], log[header + 1]], [SYNC, SYNC, SYNC]);
    const table = log[header - 2];
    assert.equal(table?.at, Number(storage.content.readBigUInt64BE(48)));
    assert.equal(table?.length, 512 * storage.content.readUInt32BE(56));
    await disk.close();
    await assertSound(storage);
  });

  it('trap 24: does not use a freed cluster again before the unmapping is durable', async () => {
    const { storage, disk } = await open();
    await disk.write(filled(1), 0);
    await disk.flush();
    await disk.discard(0, CLUSTER);
    await disk.write(filled(2), CLUSTER);
    assert.ok(storage.content.subarray(5 * CLUSTER, 6 * CLUSTER).equals(filled(1)), 'not overwritten');
    await disk.flush();
    await disk.write(filled(3), 2 * CLUSTER);
    assert.ok(storage.content.subarray(5 * CLUSTER, 6 * CLUSTER).equals(filled(3)), 'used again');
    await disk.close();
    await assertSound(storage);
  });

  it('trap 24: punches what was freed only when the unmapping is durable', async () => {
    const { storage, disk } = await open();
    await disk.write(filled(1), 0);
    await disk.flush();
    await disk.discard(0, CLUSTER);
    const cluster = () => storage.content.subarray(5 * CLUSTER, 6 * CLUSTER);
    storage.ahead = (operation) => {
      if (operation === 'datasync') assert.ok(cluster().equals(filled(1)));
    };
    await disk.flush();
    storage.ahead = () => {};
    assert.ok(cluster().equals(filled(0)));
    await disk.close();
  });

  it('trap 24: does not use a freed cluster again while somebody is still reading it', async () => {
    const { storage, disk } = await open();
    await disk.write(filled(1, 2 * CLUSTER), 0);
    await disk.flush();
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    storage.ahead = (operation) => (operation === 'read' ? held : undefined);
    const read = Buffer.alloc(CLUSTER);
    storage.slow = true;
    await disk.read(read, CLUSTER);
    const reading = disk.read(read, 0);
    await settled();
    await disk.discard(0, CLUSTER);
    let flushed = false;
    const flushing = disk.flush().then(() => {
      flushed = true;
    });
    const writing = disk.write(filled(9), 3 * CLUSTER);
    await settled();
    assert.equal(flushed, false);
    letGo();
    await Promise.all([reading, flushing, writing]);
    assert.ok(read.equals(filled(1)));
    await disk.close();
    await assertSound(storage);
  });

  it('waits with a discard for a cluster that is just getting its place', async () => {
    const { storage, disk } = await open();
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    storage.ahead = (operation) => (operation === 'write' ? held : undefined);
    const writing = disk.write(filled(1, 100), 50);
    await settled();
    const order: string[] = [];
    const more = [
      writing.then(() => order.push('write')),
      disk.discard(0, CLUSTER).then(() => order.push('discard')),
    ];
    await settled();
    assert.deepEqual(order, []);
    letGo();
    await Promise.all(more);
    assert.deepEqual(order, ['write', 'discard']);
    await disk.close();
    await assertSound(storage, Buffer.alloc(64 * CLUSTER));
  });

  it('gives each of many small writes into one new cluster its place in it', async () => {
    const below = new MemoryDisk(64 * CLUSTER);
    await below.write(filled(0xee, 64 * CLUSTER), 0);
    const { storage, disk } = await open({}, below);
    const writes = Array.from({ length: 16 }, (_, at) => disk.write(filled(at, 200), at * 256));
    await Promise.all([...writes, disk.flush(), disk.flush()]);
    const read = Buffer.alloc(CLUSTER);
    await disk.read(read, 0);
    const expected = filled(0xee);
    for (let at = 0; at < 16; at += 1) expected.fill(at, at * 256, at * 256 + 200);
    assert.ok(read.equals(expected));
    await disk.close();
    assert.equal(storage.content.length, 6 * CLUSTER, 'one data cluster, one L2 table');
  });

  it('reads of a cluster’s neighbours only what the write leaves out', async () => {
    const below = new MemoryDisk(64 * CLUSTER);
    const ranges: [number, number][] = [];
    const watched: Disk = {
      size: below.size,
      read: (into, offset) => {
        ranges.push([offset, into.length]);
        return below.read(into, offset);
      },
      close: () => below.close(),
      [Symbol.asyncDispose]: () => below.close(),
    };
    const { disk } = await open({ backingFile: 'x', backingFormat: 'raw' }, watched);
    await disk.write(filled(1, 3 * CLUSTER), 100);
    assert.deepEqual(ranges, [
      [0, 100],
      [3 * CLUSTER + 100, CLUSTER - 100],
    ]);
    await disk.close();
  });

  it('writes no zeros around data in a cluster at the end of the file, and some in one that was used', async () => {
    const { storage, disk } = await open();
    const written: number[] = [];
    storage.ahead = () => {};
    const write = storage.write.bind(storage);
    storage.write = (from, offset) => {
      written.push(from.length);
      return write(from, offset);
    };
    await disk.write(filled(1, 10), 2000);
    assert.deepEqual(written, [10]);
    await disk.discard(0, CLUSTER);
    await disk.flush();
    written.length = 0;
    await disk.write(filled(1, 10), 2000);
    assert.deepEqual(written, [CLUSTER]);
    await disk.close();
    const expected = Buffer.alloc(64 * CLUSTER);
    expected.fill(1, 2000, 2010);
    await assertSound(storage, expected);
  });

  it('shows nothing of a longer backing file behind the end of a disk that ends inside a cluster', async () => {
    const below = new MemoryDisk(64 * CLUSTER);
    await below.write(filled(0xee, 64 * CLUSTER), 0);
    const { storage, disk } = await open({ size: 3 * CLUSTER + 512 }, below);
    await disk.write(filled(1, 10), 3 * CLUSTER);
    await disk.close();
    const cluster = storage.content.subarray(5 * CLUSTER, 6 * CLUSTER);
    assert.ok(cluster.subarray(512).every((byte) => byte === 0));
    assert.ok(cluster.subarray(10, 512).every((byte) => byte === 0xee));
  });

  it('trap 21: says zeros in an image whose backing file was left aside, so that nobody sees that one', async () => {
    const { storage, disk } = await open({ backingFile: 'x', backingFormat: 'raw' });
    await disk.discard(0, CLUSTER);
    await disk.writeZeroes(CLUSTER, CLUSTER);
    await disk.close();
    const again = await reopen(storage);
    assert.deepEqual(await Array.fromAsync(again.ownExtents(0, 3 * CLUSTER)), [
      { offset: 0, length: 2 * CLUSTER, kind: 'zero', depth: 0 },
      { offset: 2 * CLUSTER, length: CLUSTER, kind: 'unallocated', depth: 0 },
    ]);
  });
});

describe('writing when the file fails', () => {
  const failure = new CalveError('no-space', 'no space left');

  for (let seed = 1; seed <= 4; seed += 1) {
    it(`keeps the image sound, whichever writes fail (${seed})`, async () => {
      const { storage, disk } = await open({ size: 60 * CLUSTER, clusterSize: 512 });
      const random = seededRandom(seed);
      const content = Buffer.alloc(60 * CLUSTER);
      for (let round = 0; round < 60; round += 1) {
        const offset = Math.floor(random() * 50) * CLUSTER;
        const bytes = filled(round, 1 + Math.floor(random() * 5 * CLUSTER));
        storage.ahead = (operation) => {
          if (operation === 'write' && random() < 0.2) throw failure;
        };
        const done = await disk.write(bytes, offset).then(
          () => true,
          (error) => error !== failure && Promise.reject(error),
        );
        const flushed = random() < 0.3 ? disk.flush().catch(() => undefined) : undefined;
        await flushed;
        storage.ahead = () => {};
        // What a failed write left behind is anybody's guess: it is written again.
        if (!done) await disk.write(bytes, offset);
        content.set(bytes, offset);
      }
      await disk.close();
      await assertSound(storage, content);
    });
  }

  it('takes no more writes when a flush has failed, as nobody knows what is on disk', async () => {
    const { storage, disk } = await open();
    await disk.write(filled(1), 0);
    storage.ahead = (operation) => {
      if (operation === 'datasync') throw new CalveError('io', 'broken disk');
    };
    await assert.rejects(disk.flush(), /broken disk/);
    storage.ahead = () => {};
    for (const use of [() => disk.write(filled(2), 0), () => disk.flush(), () => disk.discard(0, CLUSTER)]) {
      await assert.rejects(use, /not written any more since an earlier failure/);
    }
    const read = Buffer.alloc(CLUSTER);
    await disk.read(read, 0);
    assert.ok(read.equals(filled(1)));
    await assert.rejects(disk.close(), /not written any more/);
    await assert.rejects(disk.read(read, 0), (error) => CalveError.is(error, 'closed'));
  });
});

describe('an image of many small clusters', () => {
  it('trap 25: outgrows its refcount table, again and again', async () => {
    const size = 9 * 1024 ** 2;
    const { storage, disk } = await open({ size, clusterSize: 512, refcountBits: 64 });
    const content = Buffer.alloc(size);
    for (let at = 0; at < size; at += 512) content.writeUInt32BE(at + 1, at);
    // In pieces that are not whole clusters, so that growth falls on every step of the way.
    for (let at = 0; at < size; at += 99_999) await disk.write(content.subarray(at, at + 99_999), at);
    await disk.close();
    assert.ok(storage.content.readUInt32BE(56) >= 5);
    await assertSound(storage, content);
  });

  it('trap 29: uses refcounts of one bit for all there is', async () => {
    const { storage, disk } = await open({ size: 1024 ** 2, clusterSize: 512, refcountBits: 1 });
    const model = new DiskModel(disk, Buffer.alloc(1024 ** 2), { clusterSize: 512, discards: true }, 3);
    await model.run(60);
    await disk.close();
    await assertSound(storage, model.bytes);
  });
});
