import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { dirtyRanges } from '../../../test/support/bitmap-model.ts';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import { run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck } from '../../../test/support/qemu.ts';
import { qemuBitmaps } from '../../../test/support/qemu-bitmaps.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { EXTENSION } from '../constants.ts';
import { checkQcow2, denyBacking, openQcow2, repairQcow2 } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const backing = denyBacking;
const SIZE = 1024 ** 2;
const AUTOCLEAR = 88;

/** Where things lie in an image with one bitmap, `b`, half of whose one page is set. */
interface Places {
  readonly image: DamagedImage;
  readonly extension: number;
  readonly directory: number;
  readonly table: number;
}

const sound = folder.join('sound.qcow2');
await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', sound, `${SIZE}`]);
await succeed('qemu-img', ['bitmap', '--add', '-g', '4k', sound, 'b']);
await succeed('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512k', sound]);

async function damaged(damage: (places: Places) => void): Promise<string> {
  names += 1;
  const path = folder.join(`${names}.qcow2`);
  await copyFile(sound, path);
  const image = await DamagedImage.open(path);
  const extension = image.extension(EXTENSION.bitmaps);
  const directory = image.offset(extension + 16);
  damage({ image, extension, directory, table: image.offset(directory) });
  await image.save();
  return path;
}

const longer = ({ image, extension }: Places) => {
  image.set(extension + 8, 40n);
  image.resize(image.bytes.length + 4096);
};
const set32 = (image: DamagedImage, at: number, value: number) => image.bytes.writeUInt32BE(value, at);

describe('trap 8: a bitmap directory that cannot be right', () => {
  const cases: [string, RegExp, (places: Places) => void][] = [
    ['no bitmaps', /1 to 65535 bitmaps/, ({ image, extension }) => set32(image, extension, 0)],
    ['too many bitmaps', /1 to 65535 bitmaps/, ({ image, extension }) => set32(image, extension, 65_536)],
    [
      'more bitmaps than entries',
      /an entry within 0 bytes/,
      ({ image, extension }) => set32(image, extension, 2),
    ],
    ['too long', /1 to 65535 bitmaps/, ({ image, extension }) => image.set(extension + 8, 1n << 27n)],
    ['longer than its entries', /32 bytes, got 40/, (places) => longer(places)],
    ['shorter than its entry', /within 24 bytes/, ({ image, extension }) => image.set(extension + 8, 24n)],
    [
      'an end past 2^64',
      /multiple of 4096/,
      ({ image, extension }) => image.set(extension + 16, 2n ** 64n - 4096n),
    ],
    ['inside a cluster', /multiple of 4096/, ({ image, extension }) => image.set(extension + 16, 4608n)],
    [
      'past the end of the file',
      /got a file of/,
      ({ image, extension }) => image.set(extension + 16, 1n << 40n),
    ],
    ['a short extension', /extension of 24 bytes/, ({ image, extension }) => set32(image, extension - 4, 16)],
    ['no table', /a table at/, ({ image, directory }) => image.set(directory, 0n)],
    ['a table inside a cluster', /a table at/, ({ image, directory }) => image.set(directory, 512n)],
    ['a table past 2^53', /below 2\^53/, ({ image, directory }) => image.set(directory, 2n ** 60n)],
    ['a table past the end', /inside the file/, ({ image, directory }) => image.set(directory, 1n << 40n)],
    ['a table of no entries', /1 to 134217728/, ({ image, directory }) => set32(image, directory + 8, 0)],
    [
      'a table of too many entries',
      /1 to 134217728/,
      ({ image, directory }) => set32(image, directory + 8, 2 ** 31),
    ],
    [
      'a table of another size',
      /1 entries for a disk/,
      ({ image, directory }) => set32(image, directory + 8, 2),
    ],
    ['reserved flags', /reserved flags/, ({ image, directory }) => set32(image, directory + 12, 0x8000_0002)],
    [
      'another type',
      /type 1, got type 2/,
      ({ image, directory }) => image.bytes.writeUInt8(2, directory + 16),
    ],
    [
      'a fine granularity',
      /of 9 to 31, got 8/,
      ({ image, directory }) => image.bytes.writeUInt8(8, directory + 17),
    ],
    [
      'a coarse granularity',
      /9 to 31, got 63/,
      ({ image, directory }) => image.bytes.writeUInt8(63, directory + 17),
    ],
    ['no name', /1 to 1023 bytes/, ({ image, directory }) => image.bytes.writeUInt16BE(0, directory + 18)],
    [
      'a long name',
      /1 to 1023 bytes/,
      ({ image, directory }) => image.bytes.writeUInt16BE(1024, directory + 18),
    ],
    [
      'much extra data',
      /within 32 bytes/,
      ({ image, directory }) => set32(image, directory + 20, 0xffff_ffff),
    ],
  ];
  for (const [name, message, damage] of cases) {
    it(`${name}: the disk is read, and not written before a repair`, async () => {
      const path = await damaged(damage);
      const before = await readFile(path);
      await using disk = await openQcow2(path, { backing });
      await disk.read(Buffer.alloc(SIZE), 0);
      assert.throws(() => disk.bitmaps(), message);
      await refused(dirtyRanges(disk, 'b'), 'corrupt', message);
      await disk.close();
      await refused(openQcow2(path, { writable: true, backing }), 'corrupt', message);
      assert.ok((await readFile(path)).equals(before));
    });
  }

  it('is dropped by a repair', async () => {
    const path = await damaged(({ image, directory }) => image.bytes.writeUInt8(63, directory + 17));
    const { corruptions } = await repairQcow2(path, { repair: 'all' });
    assert.equal(corruptions, 0);
    await using disk = await openQcow2(path, { writable: true, backing });
    assert.deepEqual(disk.bitmaps(), []);
    await disk.addBitmap({ name: 'b' });
    await disk.close();
    await qemuImgCheck(path);
  });

  it('trap 27: a directory or table on other metadata is never written', async () => {
    for (const at of ['directory', 'table'] as const) {
      const path = await damaged(({ image, extension, directory }) => {
        const l1 = BigInt(image.l1Offset);
        if (at === 'table') return image.set(directory, l1);
        image.bytes.copyWithin(image.l1Offset, directory, directory + 32);
        image.set(extension + 16, l1);
      });
      const before = await readFile(path);
      await refused(openQcow2(path, { writable: true, backing }), 'corrupt');
      assert.ok((await readFile(path)).equals(before));
    }
  });
});

describe('a bitmap table that cannot be right', () => {
  for (const [name, entry] of [
    ['reserved bits', 0x0100_0000_0000_0000n],
    ['bit 0 of a cluster', 0x4001n],
    ['a cluster past the end', 1n << 40n],
    ['half a cluster', 0x4200n],
  ] as const) {
    it(`${name}: the bitmap is not read, and stays in use when it would have to be stored`, async () => {
      const path = await damaged(({ image, table }) => image.set(table, entry));
      const disk = await openQcow2(path, { writable: true, backing });
      await refused(dirtyRanges(disk, 'b'), 'corrupt', /entry 0: expected 0, 1 or a multiple of 4096/);
      await disk.write(Buffer.alloc(SIZE / 2, 7), SIZE / 2);
      await refused(disk.close(), 'corrupt');
      await using again = await openQcow2(path, { backing });
      assert.ok(again.bitmaps()[0]?.inconsistent);
      const read = Buffer.alloc(SIZE / 2);
      await again.read(read, SIZE / 2);
      assert.ok(read.equals(Buffer.alloc(SIZE / 2, 7)), 'the disk is whole');
    });
  }

  it('trap 27: a page on other metadata is read, and never written', async () => {
    const path = await damaged(({ image, table }) => image.set(table, BigInt(image.l1Offset)));
    const l1 = (image: DamagedImage) => image.bytes.subarray(image.l1Offset, image.l1Offset + 4096);
    const before = Buffer.from(l1(await DamagedImage.open(path)));
    await using disk = await openQcow2(path, { writable: true, backing });
    await disk.write(Buffer.alloc(1), SIZE - 1);
    await disk.write(Buffer.alloc(1), SIZE / 2);
    await disk.close();
    assert.ok(l1(await DamagedImage.open(path)).equals(before));
    // The cluster was not freed, and the table leads to one of its own: what QEMU finds left is the old one's leak.
    assert.equal((await checkQcow2(path)).corruptions, 0);
  });

  it('entries of ones and zeros, with bits past the end of the disk, are what they say inside of it', async () => {
    const path = await damaged(({ image, table }) => image.set(table, 1n));
    await using disk = await openQcow2(path, { writable: true, backing });
    assert.deepEqual(await dirtyRanges(disk, 'b'), [{ offset: 0, length: SIZE }]);
    await disk.write(Buffer.alloc(1), 0);
    await disk.close();
    // Written anew, the bits past the end are clear, as they must be.
    const image = await DamagedImage.open(path);
    const page = image.offset(image.offset(image.offset(image.extension(EXTENSION.bitmaps) + 16)));
    assert.ok(page > 1);
    assert.deepEqual([image.bytes[page], image.bytes[page + 31], image.bytes[page + 32]], [0xff, 0xff, 0]);
  });
});

describe('a bitmap that was in use when its writer ended', () => {
  const crashed = () => damaged(({ image, directory }) => set32(image, directory + 12, 3));

  it('trap 32: is never used, says so with the way out, and can be removed', async () => {
    const path = await crashed();
    await using disk = await openQcow2(path, { writable: true, backing });
    assert.deepEqual(disk.bitmaps(), [
      { name: 'b', granularity: 4096, enabled: true, inconsistent: true, foreign: false },
    ]);
    await disk.addBitmap({ name: 'c' });
    for (const refusing of [
      () => disk.clearBitmap('b'),
      () => disk.enableBitmap('b'),
      () => disk.disableBitmap('b'),
      () => disk.mergeBitmap('b', 'c'),
      () => disk.mergeBitmap('c', 'b'),
      () => dirtyRanges(disk, 'b'),
    ]) {
      const { hint } = await refused(refusing(), 'corrupt', /bitmap "b" is inconsistent/);
      assert.match(hint ?? '', /qemu-img bitmap --remove .* b, then --add it/);
    }
    await disk.write(Buffer.alloc(1), 0);
    await disk.close();
    assert.deepEqual(
      (await qemuBitmaps(path)).map(({ flags }) => flags.join()),
      ['in-use,auto', 'auto'],
    );
    await using again = await openQcow2(path, { writable: true, backing });
    await again.removeBitmap('b');
    await again.close();
    await qemuImgCheck(path);
    assert.equal((await qemuBitmaps(path)).length, 1);
  });

  it('may have the size of an earlier day, and can be reset', async () => {
    const path = await damaged(({ image, directory }) => {
      set32(image, directory + 12, 3);
      set32(image, directory + 8, 2);
    });
    await using disk = await openQcow2(path, { writable: true, backing });
    await disk.clearBitmap('b', { reset: true });
    await disk.write(Buffer.alloc(1), 9000);
    assert.deepEqual(await dirtyRanges(disk, 'b'), [{ offset: 8192, length: 4096 }]);
    await disk.close();
    await qemuImgCheck(path);
    assert.deepEqual(await qemuBitmaps(path), [{ name: 'b', granularity: 4096, flags: ['auto'] }]);
  });
});

describe('extra data', () => {
  /** The entry with eight bytes of extra data ahead of its name. */
  const withExtra = (flags: number) =>
    damaged(({ image, extension, directory }) => {
      const name = Buffer.from(image.bytes.subarray(directory + 24, directory + 32));
      image.resize(Math.max(image.bytes.length, directory + 4096));
      image.bytes.write('EXTRA123', directory + 24, 'latin1');
      image.bytes.set(name, directory + 32);
      set32(image, directory + 20, 8);
      set32(image, directory + 12, flags);
      image.set(extension + 8, 40n);
    });
  const entry = async (path: string) => {
    const image = await DamagedImage.open(path);
    const directory = image.offset(image.extension(EXTENSION.bitmaps) + 16);
    return Buffer.from(image.bytes.subarray(directory, directory + 40));
  };

  it('of a compatible kind is kept, and the bitmap used', async () => {
    const path = await withExtra(4 | 2);
    const before = await entry(path);
    await using disk = await openQcow2(path, { writable: true, backing });
    await disk.write(Buffer.alloc(1), SIZE - 1);
    assert.deepEqual((await dirtyRanges(disk, 'b')).at(-1), { offset: SIZE - 4096, length: 4096 });
    await disk.close();
    assert.deepEqual(await entry(path), before);
    assert.equal((await checkQcow2(path)).corruptions, 0);
  });

  it('of another kind: the bitmap is left as it is, and only loses its word when it should have been kept up', async () => {
    for (const flags of [0, 2]) {
      const path = await withExtra(flags);
      const before = await entry(path);
      await using disk = await openQcow2(path, { writable: true, backing });
      assert.ok(disk.bitmaps()[0]?.foreign);
      await refused(disk.clearBitmap('b'), 'unsupported', /extra data/);
      await refused(disk.clearBitmap('b', { reset: true }), 'unsupported', /extra data/);
      await refused(dirtyRanges(disk, 'b'), 'unsupported', /extra data/);
      await disk.write(Buffer.alloc(1), SIZE - 1);
      await disk.addBitmap({ name: 'c' });
      await disk.close();
      if (flags === 2) before.writeUInt32BE(3, 12);
      assert.deepEqual(await entry(path), before);
    }
  });

  it('trap 32: without the autoclear bit there are no bitmaps', async () => {
    const path = await damaged(({ image }) => image.set(AUTOCLEAR, 0n));
    await using disk = await openQcow2(path, { writable: true, backing });
    assert.deepEqual(disk.bitmaps(), []);
    await disk.addBitmap({ name: 'b' });
    await disk.close();
    const leaking = await run('qemu-img', ['check', path]);
    assert.equal(leaking.code, 3, 'the clusters of the outdated bitmap are leaks');
    assert.equal((await qemuBitmaps(path)).length, 1);
  });
});
