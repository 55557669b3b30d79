import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { Disk } from '../../disk/index.ts';
import { createQcow2, denyBacking, followDataFile, openQcow2, type Qcow2Disk } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;

async function fresh(options: object = {}): Promise<{ image: string; disk: Qcow2Disk }> {
  made += 1;
  const image = folder.join(`${made}.qcow2`);
  await createQcow2(image, { size: 2 ** 20, clusterSize: 4096, sync: false, ...options });
  return { image, disk: await openQcow2(image, { writable: true, backing: denyBacking }) };
}

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

describe('snapshots of an open disk', () => {
  it('names and ids: what cannot be, and what is taken', async () => {
    const { image, disk } = await fresh();
    await refused(disk.createSnapshot({ name: '' }), 'usage', /snapshot name: expected 1 to 255 bytes/);
    await refused(disk.createSnapshot({ name: 'ü'.repeat(128) }), 'usage', /name/);
    await refused(disk.createSnapshot({ name: 'a\0b' }), 'usage', /name/);
    await refused(disk.createSnapshot({ name: '\ud800' }), 'usage', /name/);
    await refused(disk.createSnapshot({ name: 'a', id: '1'.repeat(128) }), 'usage', /id/);
    await refused(disk.createSnapshot({ name: 'a', date: new Date(-1) }), 'out-of-range', /date/);
    await refused(disk.createSnapshot({ name: 'a', date: new Date(Number.NaN) }), 'out-of-range', /date/);
    await disk.createSnapshot({ name: 'a', id: '41' });
    await refused(disk.createSnapshot({ name: 'a' }), 'exists', /a snapshot of name "a"/);
    await refused(disk.createSnapshot({ name: 'b', id: '41' }), 'exists', /a snapshot of id "41"/);
    assert.equal((await disk.createSnapshot({ name: '41' })).id, '42');
    await disk.close();
    await qemuImgCheck(image);
  });

  it('an id comes before a name, but for deleting, where qemu-img looks for names', async () => {
    const { disk } = await fresh();
    for (const [name, id] of [
      ['2', '1'],
      ['1', '2'],
    ] as const) {
      await disk.write(Buffer.alloc(512, Number(id)), 0);
      await disk.createSnapshot({ name, id });
    }
    await using view = await disk.openSnapshot('1');
    assert.equal((await contentOf(view))[0], 1);
    await disk.applySnapshot('1');
    assert.equal((await contentOf(disk))[0], 1);
    await disk.deleteSnapshot('1');
    assert.deepEqual(
      (await disk.snapshots()).map(({ id }) => id),
      ['1'],
    );
    const error = await refused(disk.deleteSnapshot('x'), 'not-found', /has no snapshot "x"/);
    assert.match(error.hint ?? '', /^qemu-img snapshot -l /);
    await refused(disk.applySnapshot('x'), 'not-found');
    await refused(disk.openSnapshot('x'), 'not-found');
    await disk.close();
  });

  it('a snapshot that is being read cannot be deleted, and reads the same whatever is written', async () => {
    const { image, disk } = await fresh();
    await disk.write(Buffer.alloc(2 ** 19, 1), 0);
    await disk.createSnapshot({ name: 'a' });
    const expected = await contentOf(disk);
    const view = await disk.openSnapshot('a');
    const writes: Promise<void>[] = [];
    for (let at = 0; at < 2 ** 19; at += 70_000) {
      writes.push(disk.write(Buffer.alloc(60_000, 2), at));
      assert.ok((await contentOf(view)).equals(expected));
    }
    await Promise.all(writes);
    await disk.discard(0, 2 ** 18);
    await disk.flush();
    await disk.applySnapshot('a');
    await disk.write(Buffer.alloc(2 ** 19, 3), 2 ** 18);
    await disk.flush();
    assert.ok((await contentOf(view)).equals(expected));
    await refused(disk.deleteSnapshot('a'), 'in-use', /snapshot "a" is being read/);
    const opening = disk.openSnapshot('a');
    const deleting = refused(disk.deleteSnapshot('a'), 'in-use');
    await (await opening).close();
    await deleting;
    await view.close();
    await view.close();
    await refused(view.read(Buffer.alloc(1), 0), 'closed', /snapshot "a" was closed/);
    await disk.deleteSnapshot('a');
    await disk.close();
    await qemuImgCheck(image);
  });

  it('views end with their disk, also those that are being opened', async () => {
    const { image, disk } = await fresh();
    await disk.createSnapshot({ name: 'a' });
    const view = await disk.openSnapshot('a');
    await disk.close();
    await refused(view.read(Buffer.alloc(1), 0), 'closed');
    await refused(disk.snapshots(), 'closed');
    const reader = await openQcow2(image, { backing: denyBacking });
    await reader.snapshots();
    const opening = refused(reader.openSnapshot('a'), 'closed');
    await reader.close();
    await opening;
  });

  it('a disk opened for reading lists and reads, and changes nothing', async () => {
    const { image, disk } = await fresh();
    await disk.createSnapshot({ name: 'a' });
    await disk.close();
    await using reader = await openQcow2(image, { backing: denyBacking });
    assert.equal((await reader.snapshots()).length, 1);
    await using view = await reader.openSnapshot('a');
    assert.equal(view.size, 2 ** 20);
    await refused(reader.createSnapshot({ name: 'b' }), 'denied');
    await refused(reader.applySnapshot('a'), 'denied');
    await refused(reader.deleteSnapshot('a'), 'denied');
  });

  for (const refcountBits of [1, 2, 4]) {
    it(`trap 29: refcounts of ${refcountBits} bits refuse one holder too many, and nothing changes`, async () => {
      const { image, disk } = await fresh({ refcountBits });
      await disk.write(Buffer.alloc(2 ** 19, 1), 2 ** 18);
      const most = 2 ** refcountBits - 1;
      for (let holders = 1; holders < most; holders += 1) await disk.createSnapshot({ name: `${holders}` });
      await disk.flush();
      const before = await readFile(image);
      const error = await refused(
        disk.createSnapshot({ name: 'x' }),
        'out-of-range',
        /expected at most \d+, got/,
      );
      assert.match(error.hint ?? '', /qemu-img amend .*refcount_bits=16/);
      if (most > 1) await refused(disk.applySnapshot('1'), 'out-of-range');
      assert.ok((await readFile(image)).equals(before), 'the file');
      assert.equal((await disk.snapshots()).length, most - 1);
      await disk.write(Buffer.alloc(1000, 2), 2 ** 18 + 5000);
      await disk.close();
      await qemuImgCheck(image);
      await succeed('qemu-img', ['amend', '-f', 'qcow2', '-o', 'refcount_bits=16', image]);
      await using again = await openQcow2(image, { writable: true, backing: denyBacking });
      await again.createSnapshot({ name: 'x' });
    });
  }

  it('trap 29: compressed clusters that share a host cluster count each, up to the width of a refcount', async () => {
    made += 1;
    const image = folder.join(`${made}.qcow2`);
    const options = 'cluster_size=4k,refcount_bits=4';
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, image, '1M']);
    const writes = Array.from({ length: 9 }, (_, index) => ['-c', `write -c -P 7 ${index * 4}k 4k`]).flat();
    await succeed('qemu-io', [...writes, '-f', 'qcow2', image]);
    await using disk = await openQcow2(image, { writable: true, backing: denyBacking });
    const before = await readFile(image);
    await refused(disk.createSnapshot({ name: 'a' }), 'out-of-range');
    assert.ok((await readFile(image)).equals(before), 'the file');
    await disk.close();
    await qemuImgCheck(image);
  });

  it('trap 30: an L1 table of more clusters than a refcount block counts lies in one piece', async () => {
    for (const refcountBits of [16, 64]) {
      const { image, disk } = await fresh({ clusterSize: 512, refcountBits, size: 2 ** 30 });
      await disk.write(Buffer.alloc(3000, 1), 2 ** 30 - 3000);
      await disk.createSnapshot({ name: 'a' });
      await disk.write(Buffer.alloc(3000, 2), 2 ** 30 - 3000);
      await disk.applySnapshot('a');
      const byte = Buffer.alloc(1);
      await disk.read(byte, 2 ** 30 - 1);
      assert.equal(byte[0], 1);
      await disk.close();
      await qemuImgCheck(image);
      // As much as two tables and little else.
      assert.ok((await readFile(image)).length < 2 ** 20);
    }
  });

  it('trap 22: not with a data file', async () => {
    const [image, data] = [folder.join('with-data.qcow2'), folder.join('data.raw')];
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${data}`, image, '1M']);
    const options = { writable: true, backing: denyBacking, dataFile: followDataFile() };
    await using disk = await openQcow2(image, options);
    await refused(disk.createSnapshot({ name: 'a' }), 'unsupported', /external data file/);
    await refused(disk.applySnapshot('a'), 'unsupported');
    await refused(disk.openSnapshot('a'), 'unsupported');
    assert.deepEqual(await disk.snapshots(), []);
  });

  it('changes that come together take turns', async () => {
    const { image, disk } = await fresh();
    const write = (value: number) => disk.write(Buffer.alloc(10_000, value), value * 9000);
    await Promise.all([
      write(1),
      disk.createSnapshot({ name: 'a' }),
      write(2),
      disk.flush(),
      disk.createSnapshot({ name: 'b' }),
      write(3),
      disk.deleteSnapshot('a'),
      write(4),
    ]);
    await disk.createSnapshot({ name: 'c' });
    const closing = [disk.applySnapshot('b'), disk.close()];
    await Promise.all(closing);
    await qemuImgCheck(image);
  });
});
