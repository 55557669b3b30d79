import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { BitmapModel, dirtyRanges } from '../../../test/support/bitmap-model.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuIo } from '../../../test/support/qemu.ts';
import { qemuBitmaps, qemuDirtyRanges } from '../../../test/support/qemu-bitmaps.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { createQcow2, denyBacking, openQcow2, type Qcow2Disk } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const backing = denyBacking;
const SIZE = 1024 ** 2;

async function image(
  options: { size?: number; clusterSize?: number; version?: 2 | 3 } = {},
): Promise<string> {
  names += 1;
  const path = folder.join(`${names}.qcow2`);
  await createQcow2(path, { size: SIZE, clusterSize: 4096, ...options });
  return path;
}

async function write(path: string, job: (disk: Qcow2Disk) => Promise<unknown>): Promise<void> {
  await using disk = await openQcow2(path, { writable: true, backing });
  await job(disk);
}

async function ours(path: string, bitmap: string): Promise<{ offset: number; length: number }[]> {
  await using disk = await openQcow2(path, { backing });
  return await dirtyRanges(disk, bitmap);
}

const qemu = (path: string, ...args: string[]) => succeed('qemu-img', ['bitmap', ...args, path, 'b']);

describe('bitmaps that QEMU made', () => {
  it('trap 32: are kept up by writes, zeroes and discards, and QEMU finds in them what was changed', async () => {
    const path = await image();
    await qemu(path, '--add', '-g', '8k');
    await succeed('qemu-img', ['bitmap', '--add', '--disable', path, 'still']);
    await qemuIo(path, ['write -P 1 40k 1']);
    await write(path, async (disk) => {
      await disk.write(Buffer.alloc(10, 1), 100_000);
      await disk.writeZeroes(200_000, 20_000);
      await disk.discard(SIZE - 8192, 8192);
    });
    await qemuImgCheck(path);
    const expected = [
      { offset: 40_960, length: 8192 },
      { offset: 98_304, length: 8192 },
      { offset: 196_608, length: 24_576 },
      { offset: SIZE - 8192, length: 8192 },
    ];
    assert.deepEqual(await qemuDirtyRanges(path, 'b'), expected);
    assert.deepEqual(await ours(path, 'b'), expected);
    assert.deepEqual(await ours(path, 'still'), []);
    assert.deepEqual(await qemuBitmaps(path), [
      { name: 'b', granularity: 8192, flags: ['auto'] },
      { name: 'still', granularity: 4096, flags: [] },
    ]);
  });

  it('leave the file as it is when nothing is changed', async () => {
    const path = await image();
    await qemu(path, '--add');
    const before = await readFile(path);
    await write(path, async (disk) => disk.read(Buffer.alloc(100), 0));
    assert.ok((await readFile(path)).equals(before));
  });

  it('read the same over their whole size, in clusters of 512 bytes', async () => {
    const path = await image({ clusterSize: 512, size: 5 * 1024 ** 2 });
    await qemu(path, '--add', '-g', '512');
    await qemuIo(path, ['write 1000k 3M', 'write 0 512', 'write 5119k 1k']);
    const ranges = await qemuDirtyRanges(path, 'b');
    assert.equal(ranges.length, 3);
    assert.deepEqual(await ours(path, 'b'), ranges);
    await using disk = await openQcow2(path, { backing });
    assert.deepEqual(await dirtyRanges(disk, 'b', 300, 100), [{ offset: 300, length: 100 }]);
    assert.deepEqual(await dirtyRanges(disk, 'b', 600, 1_024_300), [{ offset: 1_024_000, length: 900 }]);
  });
});

describe('bitmaps of an open image', () => {
  it('trap 32: are marked as in use from the first change to the end', async () => {
    const path = await image();
    await qemu(path, '--add');
    await succeed('qemu-img', ['bitmap', '--add', '--disable', path, 'still']);
    const flags = async () => (await qemuBitmaps(path)).map((bitmap) => bitmap.flags.join());
    await write(path, async (disk) => {
      assert.deepEqual(await flags(), ['auto', '']);
      await disk.write(Buffer.alloc(1, 1), 0);
      assert.deepEqual(await flags(), ['in-use,auto', 'in-use']);
      await disk.flush();
      assert.deepEqual(await flags(), ['in-use,auto', 'in-use']);
      assert.ok(disk.bitmaps().every(({ inconsistent }) => !inconsistent));
    });
    assert.deepEqual(await flags(), ['auto', '']);
  });

  it('are made, merged, cleared, switched and removed, and QEMU uses them', async () => {
    const path = await image();
    await write(path, async (disk) => {
      await disk.addBitmap({ name: 'b' });
      await disk.addBitmap({ name: 'fine', granularity: 512, enabled: false });
      await disk.write(Buffer.alloc(1, 1), 5000);
      await disk.disableBitmap('b');
      await disk.enableBitmap('fine');
      await disk.write(Buffer.alloc(1, 1), 90_000);
    });
    await qemuImgCheck(path);
    assert.deepEqual(await qemuDirtyRanges(path, 'b'), [{ offset: 4096, length: 4096 }]);
    assert.deepEqual(await qemuDirtyRanges(path, 'fine'), [{ offset: 89_600, length: 512 }]);
    await qemu(path, '--enable', '--merge', 'fine');
    assert.deepEqual(await ours(path, 'b'), [
      { offset: 4096, length: 4096 },
      { offset: 86_016, length: 4096 },
    ]);
    await write(path, async (disk) => {
      await disk.clearBitmap('b');
      await disk.mergeBitmap('fine', 'b');
      await disk.removeBitmap('fine');
      await refused(disk.removeBitmap('fine'), 'not-found', /has no bitmap "fine"; it has "b"/);
    });
    await qemuImgCheck(path);
    assert.deepEqual(await qemuBitmaps(path), [{ name: 'b', granularity: 4096, flags: ['auto'] }]);
    assert.deepEqual(await qemuDirtyRanges(path, 'b'), []);
    await write(path, (disk) => disk.removeBitmap('b'));
    await qemuImgCheck(path);
    assert.deepEqual(await qemuBitmaps(path), []);
  });

  it('are merged from other disks, whatever their granularity, as QEMU merges them', async () => {
    const [path, other] = [await image(), await image()];
    for (const each of [path, other]) await qemu(each, '--add', '-g', each === path ? '16k' : '1k');
    await qemuIo(other, ['write 0 1k', 'write 100k 3k', 'write 1023k 1k']);
    await succeed('qemu-img', [
      'bitmap',
      '--add',
      path,
      'qemu',
      '-g',
      '16k',
      '--merge',
      'b',
      '-b',
      other,
      '-F',
      'qcow2',
    ]);
    await write(path, async (disk) => {
      await using source = await openQcow2(other, { backing });
      await disk.mergeBitmap('b', [{ disk: source, bitmap: 'b' }]);
      await using larger = await openQcow2(await image({ size: 2 * SIZE }), { backing });
      const merging = disk.mergeBitmap('b', { disk: larger, bitmap: 'b' });
      await refused(merging, 'usage', /expected a disk of 1048576 bytes, got one of 2097152/);
    });
    assert.equal((await ours(path, 'b')).length, 3);
    assert.deepEqual(await ours(path, 'b'), await qemuDirtyRanges(path, 'qemu'));
  });

  it('are refused where QEMU refuses them', async () => {
    const path = await image();
    await write(path, async (disk) => {
      await disk.addBitmap({ name: 'b' });
      await refused(disk.addBitmap({ name: 'b' }), 'exists');
      await refused(disk.addBitmap({ name: '' }), 'usage', /1 to 1023 bytes, got 0/);
      await refused(disk.addBitmap({ name: 'é'.repeat(512) }), 'usage', /got 1024/);
      for (const granularity of [256, 3000, 2 ** 32, 0, -512, Number.NaN]) {
        await refused(disk.addBitmap({ name: 'c', granularity }), 'usage', /power of two from 512/);
      }
    });
    await write(await image({ version: 2 }), (disk) =>
      refused(disk.addBitmap({ name: 'b' }), 'unsupported', /version 3/),
    );
    await write(await image({ size: 0 }), (disk) => refused(disk.addBitmap({ name: 'b' }), 'out-of-range'));
    const large = await image({ size: 3 * 1024 ** 4, clusterSize: 65_536 });
    const refusal = await run('qemu-img', ['bitmap', '--add', '-g', '512', large, 'b']);
    assert.equal(refusal.code, 1, report(refusal));
    await write(large, async (disk) => {
      await refused(disk.addBitmap({ name: 'b', granularity: 512 }), 'out-of-range', /bits of 512/);
      await disk.addBitmap({ name: 'b' });
      await disk.write(Buffer.alloc(1, 1), 2 * 1024 ** 4);
      await disk.mergeBitmap('b', 'b');
    });
    await qemuImgCheck(large);
    assert.deepEqual(await qemuDirtyRanges(large, 'b'), [{ offset: 2 * 1024 ** 4, length: 65_536 }]);
    await using disk = await openQcow2(path, { backing });
    await refused(disk.addBitmap({ name: 'c' }), 'denied');
  });
});

it('bits that would take much memory are moved to the file, and count all the same', async () => {
  const path = await image({ size: 48 * 1024 ** 3, clusterSize: 65_536 });
  const count = 20_000;
  await write(path, async (disk) => {
    await disk.addBitmap({ name: 'b', granularity: 512 });
    const before = (await stat(path)).size;
    // Less than a cluster: nothing but the bitmap changes.
    for (let index = 0; index < count; index += 1) await disk.discard(index * 2 * 1024 ** 2, 512);
    assert.ok((await stat(path)).size > before + 4 * 1024 ** 2, 'bits are in the file');
    const ranges = await dirtyRanges(disk, 'b');
    assert.equal(ranges.length, count);
    assert.ok(
      ranges.every(({ offset, length }, index) => offset === index * 2 * 1024 ** 2 && length === 512),
    );
  });
  assert.equal((await ours(path, 'b')).length, count);
  await qemuImgCheck(path);
});

describe('random histories agree with a model, and with QEMU at the end', () => {
  for (const [clusterSize, size] of [
    [512, 3_000_320],
    [4096, 20_000_256],
    [65_536, 5_000_192],
  ] as const) {
    it(`clusters of ${clusterSize} bytes`, async () => {
      const path = await image({ clusterSize, size });
      const model = new BitmapModel(size, seededRandom(clusterSize));
      for (let opening = 0; opening < 2; opening += 1) {
        await write(path, async (disk) => {
          await model.run(disk, 30);
          for (const name of model.bitmaps.keys()) {
            assert.deepEqual(await dirtyRanges(disk, name), model.dirty(name));
          }
        });
        await qemuImgCheck(path);
        for (const name of model.bitmaps.keys()) assert.deepEqual(await ours(path, name), model.dirty(name));
      }
      assert.ok(model.bitmaps.size > 0);
      const found = await qemuBitmaps(path);
      assert.deepEqual(
        found.map(({ name, granularity, flags }) => [name, granularity, flags.join()]),
        [...model.bitmaps].map(([name, { granularity, enabled }]) => [
          name,
          granularity,
          enabled ? 'auto' : '',
        ]),
      );
      for (const name of [...model.bitmaps.keys()].slice(0, 2)) {
        assert.deepEqual(await qemuDirtyRanges(path, name), model.dirty(name));
      }
    });
  }
});
