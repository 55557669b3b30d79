import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { COPIED, DamagedImage } from '../../../test/support/damaged-image.ts';
import { run, succeed } from '../../../test/support/programs.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { readContent, SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { repairQcow2 } from './repair-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);

/** An image of version 2 over a backing file, whose first megabyte is its own. */
async function overlay(damage: (image: DamagedImage) => void): Promise<string> {
  const [base, path] = [folder.join('base'), folder.join('overlay')];
  await succeed('qemu-img', ['create', '-q', '-f', 'raw', base, '2M']);
  await succeed('qemu-io', ['-f', 'raw', '-c', 'write -P 66 0 2M', base]);
  const options = ['-o', 'compat=0.10', '-F', 'raw', '-b', base];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path]);
  await succeed('qemu-io', ['-c', 'write -P 1 0 1M', path]);
  const image = await DamagedImage.open(path);
  damage(image);
  await image.save();
  return path;
}

describe('a repair', () => {
  it('finishes what a killed writer left behind, with lazy refcounts (trap 10)', async () => {
    const path = folder.join('dirty');
    const options = ['-o', 'lazy_refcounts=on,cluster_size=4k'];
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '4M']);
    const killed = await run('qemu-io', ['-c', 'write -P 3 0 1M', '-c', 'flush', '-c', 'sigraise 9', path]);
    assert.equal(killed.signal, 'SIGKILL');
    assert.equal((await DamagedImage.open(path)).get(72) & 1n, 1n, 'the dirty bit');
    const report = await repairQcow2(path, { repair: 'all' });
    assert.ok(report.before.corruptions > 200, 'refcounts that were never written');
    assert.deepEqual([report.corruptions, report.leaks], [0, 0]);
    assert.equal((await DamagedImage.open(path)).get(72) & 1n, 0n);
    assert.equal((await qemuCounts(path))?.corruptions, 0);
    const content = await readContent(path);
    assert.ok(content.subarray(0, 2 ** 20).every((byte) => byte === 3));
  });

  it('counts what reaches one cluster behind the file, where it must stay', async () => {
    const path = await overlay((image) => {
      image.resize(Math.ceil(image.bytes.length / image.clusterSize) * image.clusterSize);
      image.set(image.l2Entry(15), BigInt(image.bytes.length - 512));
    });
    const report = await repairQcow2(path, { repair: 'all' });
    assert.equal(report.corruptions, 1, 'the entry itself');
    assert.equal((await qemuCounts(path))?.corruptions, 1);
  });

  it('leaves guest data alone that an L1 entry leads to', async () => {
    // Text, as it lies on disks: no L2 table looks like it.
    const text = Buffer.alloc(65_536, 'What was written here is nobody’s table. ');
    const path = await images.damaged('plain', (image) => {
      const at = image.dataOffset(3);
      text.copy(image.bytes, at);
      image.set(image.l1Entry(0), BigInt(at) | COPIED);
    });
    const at = (await DamagedImage.open(path)).offset((await DamagedImage.open(path)).l1Entry(0)) % 2 ** 40;
    const report = await repairQcow2(path, { repair: 'all' });
    assert.ok(report.corruptions > 0);
    assert.ok(report.before.leaks > 0 && report.leaks > 0, 'what the lost table led to was given away');
    assert.ok((await readFile(path)).subarray(at, at + 65_536).equals(text));
  });

  it('leaves guest data alone that an L1 entry leads to, and that could be a table', async () => {
    const path = await images.damaged('plain', (image) => {
      const at = image.dataOffset(3);
      image.bytes.fill(0, at, at + image.clusterSize);
      image.set(at + 8, 5n);
      // A second table, for guest data that is not there yet.
      image.bytes.writeUInt32BE(2, 36);
      image.set(image.l1Entry(1), BigInt(at) | COPIED);
    });
    const at = (await DamagedImage.open(path)).dataOffset(3);
    const report = await repairQcow2(path, { repair: 'all' });
    assert.equal(report.corruptions, 1, 'the entry of the second table');
    assert.equal((await readFile(path)).readBigUInt64BE(at + 8), 5n);
  });

  it('never has a guest read what the backing file has under damaged entries', async () => {
    const path = await overlay((image) => {
      image.set(image.l2Entry(1), BigInt(image.bytes.length + 10 * image.clusterSize));
      image.change(image.l2Entry(2), (entry) => entry | 512n);
      image.change(image.l2Entry(3), (entry) => entry | 2n);
    });
    const entries = async () => {
      const image = await DamagedImage.open(path);
      return [1, 2, 3].map((guest) => image.get(image.l2Entry(guest)) & ~COPIED);
    };
    const [nowhere, unaligned] = await entries();
    const report = await repairQcow2(path, { repair: 'all' });
    const [nowhereAfter, unalignedAfter, reservedAfter] = await entries();
    assert.deepEqual([nowhereAfter, unalignedAfter], [nowhere, unaligned]);
    assert.equal((reservedAfter ?? 0n) & 0x1ffn, 0n);
    assert.equal(report.corruptions, 2);
    assert.equal((await qemuCounts(path))?.corruptions, 2);
  });

  it('puts new refcounts where no damaged entry leads, now or when the file has grown', async () => {
    let claimed = 0;
    const path = await overlay((image) => {
      claimed = image.clusters;
      for (let guest = 1; guest < 4; guest += 1) {
        image.set(image.l2Entry(guest), BigInt((claimed + guest - 1) * image.clusterSize));
      }
      image.set(image.l2Entry(4), (1n << 62n) | BigInt((claimed + 3) * image.clusterSize));
      image.set(image.refcountTableEntry(0), 0n);
    });
    const report = await repairQcow2(path, { repair: 'all' });
    const image = await DamagedImage.open(path);
    for (const place of [image.refcountTableOffset, image.offset(image.refcountTableEntry(0))]) {
      assert.ok(place / image.clusterSize >= claimed + 4, `${place}`);
    }
    assert.equal(report.corruptions, 0, 'they lead into the file now, and are counted');
    assert.equal((await qemuCounts(path))?.corruptions, 0);
  });

  it('keeps what a snapshot may own when refcounts are rebuilt without it', async () => {
    const path = await images.damaged('snapshots', (image) => {
      image.change(image.snapshotsOffset, (offset) => offset | 512n);
      image.set(image.refcountTableEntry(3), image.get(image.refcountTableEntry(0)));
    });
    const report = await repairQcow2(path, { repair: 'all' });
    assert.equal(report.corruptions, 1, 'the snapshot');
    assert.ok(report.leaks >= 20, `${report.leaks} clusters are kept`);
    assert.equal((await qemuCounts(path))?.corruptions, 1);
  });

  it('never sets COPIED for a cluster that is referred to twice, if a refcount can say so or not', async () => {
    const path = await images.damaged('refcounts of 1 bit', (image) => {
      const shared = image.get(image.l2Entry(1)) & ~COPIED;
      for (const guest of [1, 2]) image.set(image.l2Entry(guest), shared);
      image.change(image.l2Entry(5), (entry) => entry & ~COPIED);
    });
    const report = await repairQcow2(path, { repair: 'all' });
    const image = await DamagedImage.open(path);
    for (const guest of [1, 2]) assert.equal(image.get(image.l2Entry(guest)) & COPIED, 0n);
    assert.notEqual(image.get(image.l2Entry(5)) & COPIED, 0n);
    assert.equal(report.corruptions, 3, 'the reference too many, and two flags that contradict the refcount');
  });

  it('trap 22: mends flags of an image with a data file', async () => {
    const path = folder.join('split');
    const options = ['-o', `data_file=${folder.join('data')}`];
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, path, '1M']);
    await succeed('qemu-io', ['-c', 'write -P 1 0 1M', path]);
    const image = await DamagedImage.open(path);
    for (const guest of [1, 14]) image.change(image.l2Entry(guest), (entry) => entry & ~COPIED);
    await image.save();
    assert.equal((await qemuCounts(path))?.corruptions, 2);
    const report = await repairQcow2(path, { repair: 'all' });
    assert.equal(report.before.corruptions, 2);
    assert.equal(report.corruptionsFixed, 2);
    assert.equal((await qemuCounts(path))?.corruptions, 0);
  });

  it('keeps what a snapshot may own while the snapshot table cannot be read', async () => {
    const path = await images.damaged('snapshots', (image) => {
      image.bytes.writeUInt32BE(5000, image.snapshotsOffset + 36);
      image.set(image.refcountTableEntry(2), BigInt(image.dataOffset(2)));
    });
    const before = await readFile(path);
    const report = await repairQcow2(path, { repair: 'all' });
    assert.equal(report.checkErrors, 1);
    assert.ok((await readFile(path)).equals(before));
  });
});
