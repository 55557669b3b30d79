import assert from 'node:assert/strict';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { amendBesideQemu, qemuAmend } from '../../../test/support/amend-beside-qemu.ts';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { readContent, SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { inspectImage } from '../check/inspect-image.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { ImageFile } from '../image-file.ts';
import { amendImage } from './amend-image.ts';
import { amendQcow2 } from './amend-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);

const WIDTHS = [1, 2, 4, 8, 16, 32, 64];
const KINDS = {
  8: 'clusters of 512 bytes',
  4: 'snapshots',
  16: 'refcounts of 4 bits',
  64: 'bitmaps',
} as const;

/** Every ordered pair of neighbours in it is one of two widths, and each comes once. */
function* allPairs(widths: readonly number[]): Generator<number> {
  for (const [at, width] of widths.entries()) {
    for (const other of widths.slice(at + 1)) {
      yield width;
      yield other;
    }
  }
  yield widths[0] ?? 0;
}

async function copy(path: string, name: string): Promise<string> {
  const to = folder.join(name);
  await copyFile(path, to);
  return to;
}

describe('refcounts of another width', () => {
  it('trap 25: any width becomes any other, and the file does not grow each time', async () => {
    const image = await copy(await images.path('refcounts of 1 bit'), 'widths');
    const content = await images.content('refcounts of 1 bit');
    const storage = new CrashStorage('widths', await readFile(image));
    const pairs = new Set<string>();
    let before = 1;
    for (const width of [...allPairs(WIDTHS), ...WIDTHS.toReversed()]) {
      await amendImage(new ImageFile(storage), { refcountBits: width });
      pairs.add(`${before} ${width}`);
      before = width;
      const { report: found, survey } = await inspectImage(new ImageFile(storage));
      assert.deepEqual([found.corruptions, found.leaks, found.checkErrors], [0, 0, 0], `${width} bits`);
      assert.equal(survey.header.refcountBits, width);
      if (pairs.size % 4 > 0) continue;
      await writeFile(image, storage.content);
      await qemuImgCheck(image);
    }
    await writeFile(image, storage.content);
    assert.ok((await readContent(image)).equals(content));
    assert.ok(storage.content.length < 2 * (await readFile(await images.path('refcounts of 1 bit'))).length);
  });

  for (const [bits, kind] of Object.entries(KINDS)) {
    it(`${bits} bits, of an image with ${kind}, as QEMU`, async () => {
      const snapshots = { 'clusters of 512 bytes': ['s0'], bitmaps: [] }[kind as string] ?? ['s0', 's1'];
      const ours = await amendBesideQemu(await images.path(kind), {
        amendment: { refcountBits: Number(bits) },
        qemu: `refcount_bits=${bits}`,
        snapshots,
      });
      await qemuIo(ours, ['write -P 9 100k 30k', 'read -P 9 100k 30k']);
      await qemuImgCheck(ours);
    });
  }

  for (const kind of ['subclusters', 'clusters of 2 MiB'] as const) {
    it(`of an image with ${kind}`, async () => {
      const image = await copy(await images.path(kind), kind);
      await amendQcow2(image, { refcountBits: 64 });
      await qemuImgCheck(image);
      await qemuImgCompare(image, 'qcow2', await images.path(kind), 'qcow2');
    });
  }

  it('of an image with an external data file', async () => {
    const image = folder.join('with data');
    const options = `data_file=${folder.join('data.raw')},data_file_raw=on`;
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, image, '1M']);
    await qemuIo(image, ['write -P 7 0 100k']);
    await amendQcow2(image, { refcountBits: 2 });
    await qemuImgCheck(image);
    await qemuIo(image, ['read -P 7 0 100k']);
  });

  it('trap 29: a refcount that does not fit is refused by its place, as by QEMU, and nothing is changed', async () => {
    const image = await copy(await images.path('snapshots'), 'narrow');
    const before = await readFile(image);
    const error = await refused(amendQcow2(image, { refcountBits: 1 }), 'out-of-range', /got 3/);
    assert.ok((await readFile(image)).equals(before));
    const qemu = await run('qemu-img', ['amend', '-o', 'refcount_bits=1', image]);
    assert.equal(qemu.code, 1);
    assert.match(qemu.stderr, /refcount/);
    const damaged = await DamagedImage.open(image);
    const cluster = error.data['cluster'];
    assert.equal(error.data['offset'], Number(cluster) * damaged.clusterSize);
  });

  it('a refcount of 64 bits that no number holds is refused, and kept where the width stays', async () => {
    const path = await images.damaged('refcounts of 64 bits', (image) => {
      image.set(image.offset(image.refcountTableEntry(0)), 2n ** 63n);
    });
    await refused(amendQcow2(path, { refcountBits: 32 }), 'out-of-range', /cluster at 0/);
    await amendQcow2(path, { lazyRefcounts: true });
    const image = await DamagedImage.open(path);
    assert.equal(image.get(image.offset(image.refcountTableEntry(0))), 2n ** 63n);
  });

  it('leaks stay leaks, and clusters in use behind the end of the file are left alone', async () => {
    const path = await images.damaged('clusters of 512 bytes', (image) => {
      image.setRefcount(image.clusters + 3, 1);
      image.setRefcount(image.clusters + 4, 2);
    });
    const first = (await DamagedImage.open(path)).clusters + 3;
    await amendQcow2(path, { refcountBits: 64 });
    const image = await DamagedImage.open(path);
    const countOf = (cluster: number) => {
      const block = image.offset(image.refcountTableEntry(Math.floor(cluster / 64)));
      return image.offset(block + (cluster % 64) * 8);
    };
    assert.deepEqual([countOf(first), countOf(first + 1)], [1, 2]);
    const ran = await run('qemu-img', ['check', '-r', 'leaks', path]);
    assert.equal(ran.code, 0, report(ran));
    await qemuImgCompare(path, 'qcow2', await images.path('clusters of 512 bytes'), 'qcow2');
  });

  it('a damaged image is refused, with the command that mends it, and left as it is', async () => {
    const path = await images.damaged('snapshots', (image) => {
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 0);
    });
    const before = await readFile(path);
    for (const amendment of [{ refcountBits: 8 }, { version: 2 } as const]) {
      const error = await refused(amendQcow2(path, amendment), 'corrupt', /passes a check/);
      assert.match(error.hint ?? '', /qemu-img check -r all/);
    }
    assert.ok((await readFile(path)).equals(before));
  });

  it('a refcount table of several clusters is contiguous (trap 30)', async () => {
    const storage = new CrashStorage('large', encodeEmptyImage({ size: 40 * 1024 ** 2, clusterSize: 512 }));
    const path = folder.join('large');
    await writeFile(path, storage.content);
    await qemuIo(path, ['write -P 1 0 3M']);
    await amendBesideQemu(path, { amendment: { refcountBits: 64 }, qemu: 'refcount_bits=64' });
    const image = await DamagedImage.open(`${path}.calve`);
    assert.ok(image.bytes.readUInt32BE(56) > 1);
    await qemuAmend(`${path}.calve`, 'refcount_bits=1');
    await qemuImgCompare(`${path}.calve`, 'qcow2', path, 'qcow2');
  });
});
