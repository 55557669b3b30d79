import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import { checkWithQemu, createWithLuks, readWithQemu } from '../../../test/support/encrypted-image.ts';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuIo } from '../../../test/support/qemu.ts';
import { readContent } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Disk, extentsOf } from '../../disk/index.ts';
import { createLuks } from '../encryption/create-luks.ts';
import { createQcow2, denyBacking, openQcow2, type Qcow2Disk } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;
const path = (): string => {
  made += 1;
  return folder.join(`${made}.qcow2`);
};
const open = (image: string, writable = true): Promise<Qcow2Disk> =>
  openQcow2(image, { writable, backing: denyBacking });
const snapshot = (...args: string[]) => succeed('qemu-img', ['snapshot', ...args]);

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

describe('trap 31: internal snapshots and QEMU', () => {
  for (const version of [2, 3] as const) {
    it(`version ${version}: QEMU lists, reads, goes to and deletes what we made`, async () => {
      const image = path();
      await createQcow2(image, { size: 2 ** 20, version });
      const date = new Date('2026-01-02T03:04:05.678Z');
      await using disk = await open(image);
      await disk.write(Buffer.alloc(200_000, 1), 0);
      const one = await disk.createSnapshot({ name: 'before the upgrade', date });
      assert.deepEqual(one, {
        id: '1',
        name: 'before the upgrade',
        date,
        dateNanoseconds: 678_000_000,
        vmStateSize: 0,
        diskSize: 2 ** 20,
        vmClock: 0n,
        icount: undefined,
      });
      await disk.write(Buffer.alloc(200_000, 2), 100_000);
      await disk.createSnapshot({ name: 'größer', id: 'x' });
      await disk.write(Buffer.alloc(100_000, 3), 0);
      await disk.close();
      await qemuImgCheck(image);
      const listed = await snapshot('-l', image);
      assert.match(listed, /^1 +before the upgrade +0 B 2026-01-02 \d\d:\d\d:05 00:00:00\.000/m);
      assert.match(listed, /^x +größer/m);
      const first = await readContent(image, 'before the upgrade');
      assert.ok(first.subarray(0, 200_000).every((byte) => byte === 1));
      await snapshot('-a', 'x', image);
      await snapshot('-d', 'before the upgrade', image);
      await qemuImgCheck(image);
      await using again = await open(image, false);
      const [left, ...others] = await again.snapshots();
      assert.equal(left?.name, 'größer');
      assert.equal(others.length, 0);
      const content = await contentOf(again);
      assert.ok(content.equals(await readContent(image, 'größer')));
      assert.deepEqual([content[0], content[99_999], content[100_000], content[299_999]], [1, 1, 2, 2]);
    });

    it(`version ${version}: we list, read, go to and delete what QEMU made`, async () => {
      const image = path();
      await createQcow2(image, { size: 2 ** 20, version });
      await qemuIo(image, ['write -P 1 0 300k', 'write -c -P 2 512k 64k', 'write -z 640k 64k']);
      await snapshot('-c', 'a', image);
      await qemuIo(image, ['write -P 3 100k 500k']);
      await snapshot('-c', 'b', image);
      await qemuIo(image, ['write -P 4 0 64k']);
      const [a, b] = [await readContent(image, 'a'), await readContent(image, 'b')];
      {
        await using reader = await open(image, false);
        await using view = await reader.openSnapshot('a');
        assert.ok((await contentOf(view)).equals(a));
        const kinds = [];
        for await (const { kind, length } of extentsOf(view, 0, view.size)) kinds.push(`${kind} ${length}`);
        const stored =
          version === 3 ? ['data 327680', 'unallocated 196608', 'data 65536'] : kinds.slice(0, 3);
        assert.deepEqual(kinds.slice(0, 3), stored);
        const sector = Buffer.alloc(512);
        // A slow machine has it wait.
        if (view.tryRead?.(sector, 512 * 1024) !== true) await view.read(sector, 512 * 1024);
        assert.equal(sector[0], 2);
      }
      await using disk = await open(image);
      const listed = await disk.snapshots();
      assert.deepEqual(
        listed.map(({ id, name, diskSize, vmStateSize }) => [id, name, diskSize, vmStateSize]),
        [
          ['1', 'a', 2 ** 20, 0],
          ['2', 'b', 2 ** 20, 0],
        ],
      );
      assert.ok(Math.abs(Date.now() - (listed[0]?.date.getTime() ?? 0)) < 600_000);
      await disk.applySnapshot('a');
      assert.ok((await contentOf(disk)).equals(a));
      await disk.flush();
      await disk.deleteSnapshot('a');
      await disk.applySnapshot('2');
      assert.ok((await contentOf(disk)).equals(b));
      await disk.deleteSnapshot('2');
      assert.deepEqual(await disk.snapshots(), []);
      await disk.close();
      await qemuImgCheck(image);
      assert.ok((await readContent(image)).equals(b));
      // Nothing is shared any more: what QEMU writes, it writes in place.
      const { length } = await readFile(image);
      await qemuIo(image, ['write -P 5 0 300k']);
      assert.equal((await readFile(image)).length, length);
    });
  }

  it('the size of the disk comes back with the snapshot, larger and smaller, as QEMU sees it', async () => {
    const image = path();
    // 512-byte clusters: an L2 table covers 32 KiB, an L1 table's sector 2 MiB.
    await createQcow2(image, { size: 3 * 2 ** 20, clusterSize: 512 });
    await qemuIo(image, ['write -P 1 0 100k', 'write -P 2 2900k 100k']);
    await snapshot('-c', 'large', image);
    // While the disk has the snapshot's size: qemu-img reads a snapshot as long as the disk is.
    const large = await readContent(image, 'large');
    await succeed('qemu-img', ['resize', '--shrink', image, '1M']);
    await qemuIo(image, ['write -P 3 0 1M']);
    await snapshot('-c', 'small', image);
    const small = await readContent(image, 'small');
    const sizes: number[] = [];
    {
      await using disk = await open(image);
      for (const name of ['large', 'small', 'large', 'small']) {
        await using view = await disk.openSnapshot(name);
        await disk.applySnapshot(name);
        sizes.push(disk.size, view.size);
        const expected = name === 'large' ? large : small;
        assert.ok((await contentOf(disk)).equals(expected), name);
        assert.ok((await contentOf(view)).equals(expected), name);
        await disk.write(Buffer.alloc(3000, 9), disk.size - 3000);
      }
    }
    assert.deepEqual(sizes, [3 * 2 ** 20, 3 * 2 ** 20, 2 ** 20, 2 ** 20, ...sizes.slice(0, 4)]);
    await qemuImgCheck(image);
    assert.equal((await readContent(image)).length, 2 ** 20);
    assert.ok((await readContent(image, 'small')).equals(small));
  });

  it('a disk without bytes, and one without clusters', async () => {
    for (const size of [0, 2 ** 20]) {
      const image = path();
      await createQcow2(image, { size });
      await snapshot('-c', 'of QEMU', image);
      {
        await using disk = await open(image);
        await disk.createSnapshot({ name: 'ours' });
        await disk.applySnapshot('of QEMU');
        await disk.deleteSnapshot('of QEMU');
        await disk.applySnapshot('ours');
      }
      await qemuImgCheck(image);
      assert.match(await snapshot('-l', image), /^2 +ours/m);
    }
  });

  it('what an entry has beyond our knowledge is kept byte for byte, and no extra data is no size', async () => {
    const image = path();
    await createQcow2(image, { size: 2 ** 20, version: 2 });
    await snapshot('-c', 'odd', image);
    const damaged = await DamagedImage.open(image);
    const at = damaged.snapshotsOffset;
    // 40 bytes, extra data of 24, "1", "odd": another one with extra data of 37 and of 0.
    const fixed = Buffer.from(damaged.bytes.subarray(at, at + 40));
    const l1 = (extra: number, name: string, id: string) => {
      fixed.writeUInt32BE(extra, 36);
      fixed.writeUInt16BE(id.length, 12);
      fixed.writeUInt16BE(name.length, 14);
      const bytes = Buffer.concat([fixed, Buffer.alloc(extra, 0x5a), Buffer.from(id + name)]);
      return Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
    };
    const entry = l1(0, 'odd', '1');
    damaged.resize(Math.max(damaged.bytes.length, at + 4096));
    damaged.bytes.set(entry, at);
    await damaged.save();
    {
      await using disk = await open(image);
      assert.equal((await disk.snapshots())[0]?.diskSize, 2 ** 20);
      await disk.createSnapshot({ name: 'new' });
      await disk.applySnapshot('odd');
      assert.equal(disk.size, 2 ** 20);
    }
    await qemuImgCheck(image);
    const after = await DamagedImage.open(image);
    const table = after.snapshotsOffset;
    assert.ok(after.bytes.subarray(table, table + entry.length).equals(entry));
    // Unknown extra data behind what is known, of a length that is no multiple of 8.
    const unknown = l1(37, 'odd', '1');
    unknown.fill(0, 40, 64);
    unknown.writeBigUInt64BE(BigInt(2 ** 20), 48);
    const others = Buffer.from(after.bytes.subarray(table + entry.length, table + 4096 - unknown.length));
    after.bytes.set(unknown, table);
    after.bytes.set(others, table + unknown.length);
    await after.save();
    {
      await using disk = await open(image);
      assert.deepEqual(
        (await disk.snapshots()).map(({ name }) => name),
        ['odd', 'new'],
      );
      assert.equal((await disk.snapshots())[0]?.icount, 0n);
      await disk.deleteSnapshot('new');
    }
    const last = await DamagedImage.open(image);
    const end = last.snapshotsOffset + unknown.length;
    assert.ok(last.bytes.subarray(last.snapshotsOffset, end).equals(unknown));
    await qemuImgCheck(image);
  });

  it('trap 33: of an encrypted disk', async () => {
    const image = { path: path(), secret: 'abc' };
    const passphrase = Buffer.from(image.secret);
    const iterations = { keySlot: 1000, masterKey: 1000 };
    await createWithLuks(image.path, await createLuks(passphrase, { iterations }), 2 ** 20);
    const first = randomBytes(200_000);
    await using disk = await openQcow2(image.path, {
      writable: true,
      backing: denyBacking,
      encryption: { passphrase },
    });
    await disk.write(first, 1000);
    await disk.createSnapshot({ name: 'a' });
    await disk.write(randomBytes(100_000), 0);
    const view = await disk.openSnapshot('a');
    assert.ok((await contentOf(view)).subarray(1000, 201_000).equals(first));
    await disk.applySnapshot('a');
    await disk.close();
    await checkWithQemu(image);
    const read = await readWithQemu(image);
    assert.ok(read.subarray(1000, 201_000).equals(first));
  });
});
