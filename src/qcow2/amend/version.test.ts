import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { amendBesideQemu } from '../../../test/support/amend-beside-qemu.ts';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import {
  checkWithQemu,
  createWithLuks,
  readWithQemu,
  writeWithQemu,
} from '../../../test/support/encrypted-image.ts';
import { run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { readContent, SoundImages } from '../../../test/support/sound-images.ts';
import { stripExtraData } from '../../../test/support/strip-extra-data.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { denyBacking } from '../backing-policy.ts';
import { createLuks } from '../encryption/create-luks.ts';
import { openQcow2 } from '../open-qcow2.ts';
import { amendQcow2 } from './amend-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);
const TO_2 = { amendment: { version: 2 }, qemu: 'compat=0.10' } as const;
const TO_3 = { amendment: { version: 3 }, qemu: 'compat=1.1' } as const;

async function make(name: string, options: string, commands: string[], size = '1M'): Promise<string> {
  const path = folder.join(name);
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, size]);
  await qemuIo(path, commands);
  return path;
}

const snapshot = (path: string, name: string) => succeed('qemu-img', ['snapshot', '-c', name, path]);

/** What is mapped where, as kinds of extents alone. */
async function mapOf(path: string): Promise<unknown> {
  const printed: unknown = JSON.parse(await succeed('qemu-img', ['map', '--output', 'json', path]));
  assert.ok(Array.isArray(printed));
  return printed.map(({ start, length, depth, present }) => [start, length, depth, present]);
}

await writeFile(folder.join('base'), Buffer.alloc(2 ** 20, 0xb5));
const OVERLAY = `cluster_size=4k,backing_file=${folder.join('base')},backing_fmt=raw`;
const ZEROS = ['write -P 7 0 200k', 'write -z 0 20k', 'write -zu 40k 20k', 'write -z 800k 30k'];

describe('down to version 2', () => {
  it('trap 14: zero clusters become unallocated where nothing is below, as with QEMU', async () => {
    const image = await make('flat', 'cluster_size=4k', ZEROS);
    await amendBesideQemu(image, TO_2);
    assert.deepEqual(await mapOf(`${image}.calve`), await mapOf(`${image}.qemu`));
    await qemuImgCompare(`${image}.calve`, 'qcow2', image, 'qcow2');
  });

  it('trap 14: zero clusters become data of zeros over a backing file, as with QEMU', async () => {
    const image = await make('overlay', OVERLAY, ZEROS);
    await amendBesideQemu(image, TO_2);
    await qemuImgCompare(`${image}.calve`, 'qcow2', image, 'qcow2');
    const { bytes } = await DamagedImage.open(`${image}.calve`);
    assert.deepEqual([bytes.readUInt32BE(4), bytes.readBigUInt64BE(72)], [2, (0xe2792acan << 32n) | 3n]);
    await qemuIo(`${image}.calve`, ['write -P 8 0 900k', 'read -P 8 0 900k']);
    await qemuImgCheck(`${image}.calve`);
  });

  it('tables that snapshots share are changed for all of them', async () => {
    const image = await make('shared', OVERLAY, ZEROS);
    await snapshot(image, 's0');
    await snapshot(image, 's1');
    await qemuIo(image, ['write -z 100k 12k', 'write -P 5 900k 8k']);
    await snapshot(image, 's2');
    const snapshots = ['s0', 's1', 's2'];
    const before = await readContent(image);
    const path = folder.join('shared.again');
    await copyFile(image, path);
    await amendQcow2(path, { version: 2 });
    await qemuImgCheck(path);
    assert.ok((await readContent(path)).equals(before));
    for (const name of snapshots) {
      assert.ok((await readContent(path, name)).equals(await readContent(image, name)), name);
    }
    await succeed('qemu-img', ['snapshot', '-d', 's0', path]);
    await succeed('qemu-img', ['snapshot', '-a', 's1', path]);
    await qemuImgCheck(path);
    await amendQcow2(path, { version: 3, refcountBits: 8 });
    await qemuImgCheck(path);
  });

  it('a cluster that a snapshot shows as data is not filled with zeros, as QEMU does', async () => {
    for (const [name, options] of [
      ['alone', 'cluster_size=4k'],
      ['over a base', OVERLAY],
    ] as const) {
      const image = await make(name, options, ['write -P 7 0 100k']);
      await snapshot(image, 's0');
      await qemuIo(image, ['write -z 8k 20k']);
      await amendBesideQemu(image, { ...TO_2, snapshots: ['s0'], trusted: false });
      await qemuImgCompare(`${image}.calve`, 'qcow2', image, 'qcow2');
      await qemuIo(`${image}.calve`, ['write -P 1 0 100k']);
      await qemuImgCheck(`${image}.calve`);
    }
  });

  it('a zeroed cluster of a snapshot that the active disk shows as data keeps two references: a leak at worst', async () => {
    const image = await make('swapped', 'cluster_size=4k', ['write -P 7 0 100k']);
    await snapshot(image, 'data');
    await qemuIo(image, ['write -z 8k 4k']);
    await snapshot(image, 'zero');
    await succeed('qemu-img', ['snapshot', '-a', 'data', image]);
    await succeed('qemu-img', ['snapshot', '-d', 'data', image]);
    const [active, zero] = [await readContent(image), await readContent(image, 'zero')];
    await amendQcow2(image, { version: 2 });
    const checked = await run('qemu-img', ['check', image]);
    assert.equal(checked.code, 3, checked.stdout);
    assert.match(checked.stdout, /^1 leaked clusters/m);
    assert.ok((await readContent(image)).equals(active));
    assert.ok((await readContent(image, 'zero')).equals(zero));
  });

  it('trap 33: zeros are encrypted as data is, and no passphrase is asked for where none are', async () => {
    const secret = 'secret';
    const passphrase = Buffer.from(secret);
    const path = folder.join('luks');
    const iterations = { keySlot: 1000, masterKey: 1000 };
    await createWithLuks(path, await createLuks(passphrase, { iterations }));
    await writeWithQemu({ path, secret }, 0, Buffer.alloc(300_032, 7));
    await amendQcow2(path, { version: 2 });
    await amendQcow2(path, { version: 3, refcountBits: 1 });
    const disk = await openQcow2(path, { writable: true, backing: denyBacking, encryption: { passphrase } });
    await disk.writeZeroes(65_536, 131_072, { unmap: false });
    await disk.close();
    const content = await readWithQemu({ path, secret });
    await refused(amendQcow2(path, { version: 2, refcountBits: 16 }), 'denied', /passphrase/);
    await amendQcow2(path, { version: 2, refcountBits: 16, encryption: { passphrase } });
    await checkWithQemu({ path, secret });
    assert.ok((await readWithQemu({ path, secret })).equals(content));
  });

  it('what can go goes: lazy refcounts, and a compression type while nothing is compressed', async () => {
    const image = await make('lazy', 'lazy_refcounts=on,compression_type=zstd', ['write -P 7 0 64k']);
    await amendBesideQemu(image, TO_2);
    const packed = await make('packed', 'compression_type=zstd', [
      'write -P 7 0 64k',
      'write -c -P 7 64k 64k',
    ]);
    const error = await refused(amendQcow2(packed, { version: 2 }), 'unsupported', /zstd/);
    assert.deepEqual(error.data['features'], ['compression type']);
    assert.equal((await run('qemu-img', ['amend', '-o', 'compat=0.10', packed])).code, 1);
  });

  it('removing the backing file at once leaves zero clusters unallocated', async () => {
    const image = await make('orphan', OVERLAY, ZEROS);
    await amendQcow2(image, { version: 2, backingFile: null });
    await qemuImgCheck(image);
    await qemuIo(image, ['read -P 0 800k 30k', 'read -P 7 64k 100k', 'read -P 0 0 20k']);
  });

  it('is refused over snapshots of another size, as by QEMU', async () => {
    const image = await make('grown', 'cluster_size=4k', ZEROS);
    await snapshot(image, 's0');
    await succeed('qemu-img', ['resize', '-q', image, '2M']);
    const before = await readFile(image);
    const error = await refused(amendQcow2(image, { version: 2 }), 'unsupported', /another size/);
    assert.deepEqual(error.data['features'], ['snapshots']);
    assert.ok((await readFile(image)).equals(before));
    const theirs = await run('qemu-img', ['amend', '-o', 'compat=0.10', image]);
    assert.match(theirs.stderr, /Internal snapshots prevent downgrade/);
  });
});

describe('up to version 3', () => {
  it('as QEMU, header byte for byte', async () => {
    for (const options of ['compat=0.10', 'compat=0.10,cluster_size=512']) {
      const image = await make('old', options, ['write -P 7 0 64k', 'write -c -P 7 64k 64k']);
      await snapshot(image, 's0');
      const ours = await amendBesideQemu(image, { ...TO_3, snapshots: ['s0'] });
      const theirs = await readFile(`${image}.qemu`);
      assert.deepEqual((await readFile(ours)).subarray(0, 512), theirs.subarray(0, 512));
    }
  });

  it('with everything else at once, in QEMU’s order', async () => {
    await amendBesideQemu(await images.path('version 2'), {
      amendment: { version: 3, lazyRefcounts: true, refcountBits: 4 },
      qemu: 'compat=1.1,lazy_refcounts=on,refcount_bits=4',
    });
  });

  it('snapshots of old writers get the size of their disk, as from QEMU', async () => {
    const image = await make('ancient', 'compat=0.10,cluster_size=4k', ['write -P 7 0 64k']);
    for (const name of ['first', 'another one', 'x']) await snapshot(image, name);
    await stripExtraData(image);
    const ours = await amendBesideQemu(image, { ...TO_3, snapshots: ['first', 'x'] });
    const [a, b] = [await DamagedImage.open(ours), await DamagedImage.open(`${image}.qemu`)];
    assert.notEqual(a.snapshotsOffset, (await DamagedImage.open(image)).snapshotsOffset);
    const table = ({ bytes, snapshotsOffset }: DamagedImage) =>
      bytes.subarray(snapshotsOffset, snapshotsOffset + 3 * 80);
    assert.deepEqual(table(a), table(b));
  });

  it('a zero flag that version 2 does not have is not brought to life', async () => {
    const path = await images.damaged('version 2', (image) => {
      image.change(image.l2Entry(0), (entry) => entry | 1n);
    });
    await refused(amendQcow2(path, { version: 3 }), 'corrupt', /zero-flag-in-version-2/);
  });
});
