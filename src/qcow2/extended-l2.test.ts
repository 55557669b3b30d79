import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { DamagedImage } from '../../test/support/damaged-image.ts';
import { type DiskHistory, playHistory } from '../../test/support/disk-history.ts';
import { DiskModel } from '../../test/support/disk-model.ts';
import { checkWithQemu, readWithQemu } from '../../test/support/encrypted-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { seededRandom } from '../../test/support/random.ts';
import { refused } from '../../test/support/refused.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { checkQcow2, denyBacking, followBacking, openQcow2, type Qcow2Disk } from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (suffix: string): string => {
  names += 1;
  return folder.join(`${names}.${suffix}`);
};

/** Makes an image with extended L2 entries. */
async function create(size: number, options = '', base?: string): Promise<string> {
  const image = fresh('qcow2');
  const below = base === undefined ? [] : ['-b', base, '-F', 'raw'];
  const all = ['-o', `extended_l2=on${options && `,${options}`}`];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...below, ...all, image, String(size)]);
  return image;
}

/** Content with runs of zeros and of things that compress. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) if ((at >>> 13) % 3 !== 0) bytes[at] = (at >>> 5) * 31 + (at & 3);
  return bytes;
}

/** A raw base that may be shorter than the disk over it, and what that reads. */
async function over(length: number, size: number): Promise<{ base: string; bytes: Buffer }> {
  const base = fresh('raw');
  await writeFile(base, content(length));
  const bytes = Buffer.alloc(size);
  content(Math.min(length, size)).copy(bytes);
  return { base, bytes };
}

function open(image: string, writable = true): Promise<Qcow2Disk> {
  return openQcow2(image, { writable, backing: followBacking() });
}

/** The subclusters of an image's guest clusters, by its L2 table: zero and alloc bits in hexadecimal. */
async function bitmaps(image: string, clusters: number): Promise<string[]> {
  const bytes = await DamagedImage.open(image);
  return Array.from({ length: clusters }, (_, index) =>
    bytes
      .get(bytes.l2Entry(index) + 8)
      .toString(16)
      .padStart(16, '0'),
  );
}

describe('trap 15: a random history with subclusters reads as the model does, and QEMU finds the image right', () => {
  const histories: [string, () => Promise<DiskHistory>][] = [
    [
      'clusters of 16 KiB',
      async () => {
        const size = 41 * 16_384 - 512;
        return {
          image: await create(size, 'cluster_size=16k'),
          bytes: Buffer.alloc(size),
          clusterSize: 16_384,
          seed: 1,
          steps: 40,
        };
      },
    ],
    [
      'clusters of 64 KiB over a longer base',
      async () => {
        const size = 21 * 65_536 + 1024;
        const { base, bytes } = await over(size + 100_000, size);
        return { image: await create(size, '', base), bytes, clusterSize: 65_536, seed: 2 };
      },
    ],
    [
      'clusters of 16 KiB over a base that ends inside a sector (trap 20)',
      async () => {
        const size = 30 * 16_384;
        const { base, bytes } = await over(150_001, size);
        const image = await create(size, 'cluster_size=16k', base);
        return { image, bytes, clusterSize: 16_384, seed: 3, steps: 40 };
      },
    ],
    [
      'clusters of 2 MiB over a shorter base',
      async () => {
        const size = 3 * 2 ** 21 + 4096;
        const { base, bytes } = await over(2 ** 21 + 100_000, size);
        const image = await create(size, 'cluster_size=2M', base);
        return { image, bytes, clusterSize: 2 ** 21, seed: 4, steps: 5 };
      },
    ],
    [
      'compressed clusters (trap 28)',
      async () => {
        const [raw, image] = [fresh('raw'), fresh('qcow2')];
        const bytes = content(30 * 16_384);
        await writeFile(raw, bytes);
        const options = 'extended_l2=on,cluster_size=16k';
        await succeed('qemu-img', ['convert', '-c', '-Oqcow2', '-o', options, raw, image]);
        return { image, bytes, clusterSize: 16_384, seed: 5, steps: 40 };
      },
    ],
    [
      'preallocated by QEMU over a base',
      async () => {
        const { base, bytes } = await over(200_000, 25 * 16_384);
        const image = await create(bytes.length, 'cluster_size=16k,preallocation=metadata', base);
        return { image, bytes, clusterSize: 16_384, seed: 6, steps: 40 };
      },
    ],
  ];
  for (const [name, start] of histories) it(name, async () => playHistory(await start()));

  it('under internal snapshots, which keep what they hold (trap 26)', async () => {
    const size = 30 * 16_384;
    const { base, bytes } = await over(200_000, size);
    const image = await create(size, 'cluster_size=16k', base);
    const history = { image, bytes, clusterSize: 16_384, steps: 30 };
    await playHistory({ ...history, seed: 7, openings: 1 });
    const before = Buffer.from(bytes);
    await succeed('qemu-img', ['snapshot', '-c', 'one', image]);
    await playHistory({ ...history, seed: 8 });
    await succeed('qemu-img', ['snapshot', '-a', 'one', image]);
    before.copy(bytes);
    await playHistory({ ...history, seed: 9, openings: 1 });
  });

  it('encrypted with LUKS, in subclusters of one sector (trap 33)', async () => {
    const image = { path: fresh('qcow2'), secret: 'abc' };
    const size = 20 * 16_384;
    const luks = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1';
    const options = `extended_l2=on,cluster_size=16k,${luks}`;
    const secret = ['--object', 'secret,id=s,data=abc'];
    await succeed('qemu-img', ['create', ...secret, '-f', 'qcow2', '-o', options, image.path, String(size)]);
    const encryption = { passphrase: Buffer.from(image.secret) };

    const bytes = Buffer.alloc(size);
    {
      await using disk = await openQcow2(image.path, { writable: true, backing: denyBacking, encryption });
      await new DiskModel(disk, bytes, { clusterSize: 16_384, discards: true }, 10).run(40);
    }
    await checkWithQemu(image);
    assert.ok((await readWithQemu(image)).equals(bytes));
  });

  it('with QEMU writing in turn', async () => {
    const size = 12 * 65_536;
    const { base, bytes } = await over(9 * 65_536, size);
    const image = await create(size, '', base);
    const random = seededRandom(11);
    const below = (end: number) => Math.floor(random() * end);
    for (let turn = 0; turn < 5; turn += 1) {
      const commands = Array.from({ length: 12 }, () => {
        const offset = below(size / 512) * 512;
        const length = Math.min(size - offset, 512 * (1 + below(below(4) === 0 ? 300 : 8)));
        const value = below(3) === 0 ? 0 : 1 + below(255);
        bytes.fill(value, offset, offset + length);
        if (value === 0) return `write -z ${below(2) === 0 ? '-u' : ''} ${offset} ${length}`;
        return `write -P ${value} ${offset} ${length}`;
      });
      await qemuIo(image, commands);
      await playHistory({ image, bytes, clusterSize: 65_536, seed: 20 + turn, steps: 10, openings: 1 });
    }
    const report = await checkQcow2(image);
    assert.equal(report.corruptions + report.leaks, 0);
  });
});

describe('a write with subclusters', () => {
  it('fills the subclusters that it touches, and leaves the others what they are, as QEMU does', async () => {
    const { base } = await over(10 * 65_536, 10 * 65_536);
    const [ours, theirs] = [
      await create(10 * 65_536, '', base),
      await create(10 * 65_536, '', base),
    ] as const;
    const steps: ['write' | 'zero' | 'unmap' | 'discard', number, number][] = [
      ['write', 5000, 600],
      ['zero', 65_536 + 4096, 3 * 1024],
      ['write', 65_536 + 5120, 512],
      ['write', 2 * 65_536, 65_536],
      ['zero', 2 * 65_536 + 4096, 8192],
      ['zero', 3 * 65_536, 65_536],
      ['write', 3 * 65_536 + 10_240, 2048],
      ['write', 4 * 65_536, 65_536],
      ['discard', 4 * 65_536 + 2048, 20_480],
      ['write', 5 * 65_536, 65_536],
      ['discard', 5 * 65_536, 65_536],
      ['write', 6 * 65_536, 65_536],
      ['unmap', 6 * 65_536, 65_536],
      ['write', 7 * 65_536 + 60_000, 20_000],
    ];
    const disk = await open(ours);
    const commands: string[] = [];
    for (const [verb, offset, length] of steps) {
      if (verb === 'write') {
        await disk.write(Buffer.alloc(length, 7), offset);
        // QEMU's tool writes whole sectors alone.
        const from = Math.floor(offset / 512) * 512;
        const to = Math.ceil((offset + length) / 512) * 512;
        commands.push(`write -P 7 ${from} ${to - from}`);
      } else if (verb === 'discard') {
        await disk.discard(offset, length);
        commands.push(`discard ${offset} ${length}`);
      } else {
        await disk.writeZeroes(offset, length, { unmap: verb === 'unmap' });
        commands.push(`write -z ${verb === 'unmap' ? '-u' : ''} ${offset} ${length}`);
      }
    }
    await disk.close();
    await qemuIo(theirs, commands);
    await qemuImgCheck(ours);
    assert.deepEqual(await bitmaps(ours, 10), await bitmaps(theirs, 10));
  });

  it('reads of the base only what its subclusters lack', async () => {
    const { base } = await over(4 * 65_536, 4 * 65_536);
    const image = await create(4 * 65_536, '', base);
    const reads: [number, number][] = [];
    const backing = {
      size: 65_536 * 4,
      read: async (into: Uint8Array, offset: number) => {
        reads.push([offset, into.length]);
        into.fill(9);
      },
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    };
    await using disk = await openQcow2(image, { writable: true, backing: async () => backing });
    await disk.write(Buffer.alloc(100, 1), 5000);
    // What lies around 100 bytes is read at once.
    assert.deepEqual(reads.splice(0), [[4096, 2048]]);
    await disk.write(Buffer.alloc(10_240, 1), 65_536 + 1000);
    assert.deepEqual(reads.splice(0), [
      [65_536, 1000],
      [65_536 + 11_240, 1048],
    ]);
    await disk.write(Buffer.alloc(8192, 1), 2 * 65_536);
    await disk.write(Buffer.alloc(100, 2), 5100);
    assert.deepEqual(reads, []);
  });

  it('keeps a cluster that a snapshot shares apart, with all that it holds', async () => {
    const { base, bytes } = await over(65_536, 2 * 65_536);
    const image = await create(2 * 65_536, '', base);
    await qemuIo(image, ['write -P 3 2k 4k', 'write -P 4 40k 2k', 'write -z 50k 2k']);
    bytes.fill(3, 2048, 6144).fill(4, 40_960, 43_008).fill(0, 51_200, 53_248);
    await succeed('qemu-img', ['snapshot', '-c', 's', image]);
    const [before] = await bitmaps(image, 1);
    {
      await using disk = await open(image);
      await disk.write(Buffer.alloc(10, 5), 10_250);
    }
    bytes.fill(5, 10_250, 10_260);
    await qemuImgCheck(image);
    const model = fresh('raw');
    await writeFile(model, bytes);
    await qemuImgCompare(image, 'qcow2', model, 'raw');
    const added = (BigInt(`0x${before}`) | (1n << 5n)).toString(16).padStart(16, '0');
    assert.deepEqual(await bitmaps(image, 1), [added]);
  });
});

describe('extended L2 entries that no writer makes', () => {
  async function damaged(damage: (image: DamagedImage) => void): Promise<string> {
    const image = await create(4 * 65_536);
    await qemuIo(image, ['write -P 1 0 128k', 'write -c -P 2 128k 64k']);
    const bytes = await DamagedImage.open(image);
    damage(bytes);
    await bytes.save();
    return image;
  }

  for (const [what, bits, first, message] of [
    ['both allocated and zero', 0x0000_0001_ffff_ffffn, undefined, /both allocated and zero, got 0x1/],
    ['allocated without a cluster', 0x0000_0000_0000_0002n, 0n, /allocated subclusters without a cluster/],
  ] as const) {
    it(`trap 15: subclusters that are ${what} are refused, and nothing is written`, async () => {
      const image = await damaged((bytes) => {
        bytes.set(bytes.l2Entry(1) + 8, bits);
        if (first !== undefined) bytes.set(bytes.l2Entry(1), first);
      });
      const before = await readFile(image);
      await using disk = await open(image);
      const bytes = Buffer.alloc(512);
      await refused(disk.read(bytes, 65_536), 'corrupt', message);
      assert.throws(() => disk.tryRead(bytes, 65_536 + 512), message);
      await refused(disk.write(bytes, 65_536), 'corrupt', message);
      await refused(disk.writeZeroes(65_536, 2048), 'corrupt', message);
      await refused(disk.discard(0, 2 * 65_536), 'corrupt', message);
      // What lies beside is read.
      await disk.read(bytes, 0);
      assert.ok(bytes.every((byte) => byte === 1));
      await disk.close();
      assert.ok((await readFile(image)).equals(before));
    });
  }

  it('trap 16: the bitmap of a compressed cluster changes nothing', async () => {
    const image = await damaged((bytes) => bytes.set(bytes.l2Entry(2) + 8, 0xffff_0000_0000_ffffn));
    const bytes = Buffer.alloc(65_536);
    {
      await using disk = await open(image);
      await disk.read(bytes, 2 * 65_536);
      assert.ok(bytes.every((byte) => byte === 2));
      await disk.writeZeroes(2 * 65_536 + 4096, 2048);
    }
    await qemuImgCheck(image);
    await qemuIo(image, ['read -P 2 128k 4k', 'read -P 0 132k 2k', 'read -P 2 134k 58k']);
  });
});
