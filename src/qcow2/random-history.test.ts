import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { DiskModel } from '../../test/support/disk-model.ts';
import { succeed } from '../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare } from '../../test/support/qemu.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { createQcow2, followBacking, openQcow2 } from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (suffix: string): string => {
  names += 1;
  return folder.join(`${names}.${suffix}`);
};

interface Round {
  readonly image: string;
  readonly bytes: Buffer;
  readonly clusterSize: number;
  readonly discards?: boolean;
  readonly steps?: number;
  readonly seed: number;
  readonly tableBytes?: number;
}

/** Histories over a few openings, each followed by QEMU's judgement; returns the disk's content as a raw file. */
async function play(round: Round): Promise<string> {
  const { image, bytes, clusterSize, discards = true, seed } = round;
  const raw = fresh('raw');
  for (let opening = 0; opening < 3; opening += 1) {
    const limits = round.tableBytes === undefined ? {} : { tableBytes: round.tableBytes };
    const disk = await openQcow2(image, { writable: true, backing: followBacking(), ...limits });
    const model = new DiskModel(disk, bytes, { clusterSize, discards }, seed + opening);
    await model.run(round.steps ?? 25);
    await disk.close();
    await qemuImgCheck(image);
    await writeFile(raw, bytes);
    await qemuImgCompare(image, 'qcow2', raw, 'raw');
  }
  return raw;
}

/** Content with runs of zeros and of things that compress. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) if ((at >>> 13) % 3 !== 0) bytes[at] = (at >>> 5) * 31 + (at & 3);
  return bytes;
}

describe('a random history reads as the model does and leaves an image that QEMU finds right', () => {
  for (const clusterSize of [512, 1024, 4096, 65_536]) {
    for (const version of [2, 3] as const) {
      it(`version ${version}, clusters of ${clusterSize} bytes`, async () => {
        const size = 41 * clusterSize - 512;
        const image = fresh('qcow2');
        await createQcow2(image, { size, clusterSize, version });
        await play({ image, bytes: Buffer.alloc(size), clusterSize, seed: clusterSize + version });
      });
    }
  }

  it('clusters of 2 MiB', async () => {
    const image = fresh('qcow2');
    const size = 5 * 2 ** 21 + 4096;
    await createQcow2(image, { size, clusterSize: 2 ** 21 });
    await play({ image, bytes: Buffer.alloc(size), clusterSize: 2 ** 21, seed: 7, steps: 6 });
  });

  for (const refcountBits of [1, 2, 4, 8, 32, 64]) {
    it(`trap 25: refcounts of ${refcountBits} bits, in blocks and tables that grow`, async () => {
      const size = 1200 * 1024;
      const image = fresh('qcow2');
      await createQcow2(image, { size, clusterSize: 512, refcountBits });
      await play({ image, bytes: Buffer.alloc(size), clusterSize: 512, seed: refcountBits, steps: 40 });
    });
  }

  it('with less memory than the tables take', async () => {
    const image = fresh('qcow2');
    const size = 700 * 1024;
    await createQcow2(image, { size, clusterSize: 512 });
    await play({ image, bytes: Buffer.alloc(size), clusterSize: 512, seed: 11, steps: 40, tableBytes: 4096 });
  });

  for (const version of [2, 3] as const) {
    it(`traps 20 and 21: version ${version} over a chain of three with a shorter base`, async () => {
      const [base, middle, top] = [fresh('raw'), fresh('qcow2'), fresh('qcow2')];
      const size = 400 * 1024;
      const bytes = Buffer.concat([content(150_000), Buffer.alloc(size - 150_000)]);
      await writeFile(base, bytes.subarray(0, 150_000));
      const compat = version === 2 ? '0.10' : '1.1';
      await succeed('qemu-img', ['create', '-f', 'qcow2', '-b', base, '-F', 'raw', middle, '300k']);
      await succeed('qemu-io', [
        '-f',
        'qcow2',
        '-c',
        'write -P 9 100k 90k',
        '-c',
        'write -z 20k 30k',
        middle,
      ]);
      bytes.fill(9, 100 * 1024, 190 * 1024);
      bytes.fill(0, 20 * 1024, 50 * 1024);
      const options = `compat=${compat},cluster_size=4k`;
      await succeed('qemu-img', [
        'create',
        '-fqcow2',
        '-b',
        middle,
        '-Fqcow2',
        '-o',
        options,
        top,
        `${size}`,
      ]);
      const clusterSize = 4096;
      await play({ image: top, bytes, clusterSize, discards: version === 3, seed: version, steps: 40 });
      assert.deepEqual((await readFile(base)).subarray(0, 100), content(100));
    });
  }

  for (const [type, version] of [
    ['zlib', '0.10'],
    ['zlib', '1.1'],
    ['zstd', '1.1'],
  ] as const) {
    it(`trap 28: over ${type} clusters that QEMU ${version} packed`, async () => {
      const [raw, image] = [fresh('raw'), fresh('qcow2')];
      const size = 90 * 4096;
      const bytes = content(size);
      await writeFile(raw, bytes);
      const compression = type === 'zlib' ? '' : `,compression_type=${type}`;
      const options = `compat=${version},cluster_size=4k${compression}`;
      await succeed('qemu-img', ['convert', '-c', '-Oqcow2', '-o', options, raw, image]);
      await play({ image, bytes, clusterSize: 4096, seed: 5, steps: 40 });
    });
  }

  it('trap 26: under internal snapshots, which keep what they hold', async () => {
    const [image, first, second] = [fresh('qcow2'), fresh('raw'), fresh('raw')];
    const size = 60 * 4096;
    const bytes = Buffer.alloc(size);
    await createQcow2(image, { size, clusterSize: 4096 });
    const before = await play({ image, bytes, clusterSize: 4096, seed: 1 });
    const start = await readFile(before);
    await succeed('qemu-img', ['snapshot', '-c', 'one', image]);
    const between = await readFile(await play({ image, bytes, clusterSize: 4096, seed: 2 }));
    await succeed('qemu-img', ['snapshot', '-c', 'two', image]);
    await play({ image, bytes, clusterSize: 4096, seed: 3 });
    await succeed('qemu-img', ['convert', '-l', 'one', '-Oraw', image, first]);
    await succeed('qemu-img', ['convert', '-l', 'two', '-Oraw', image, second]);
    assert.ok((await readFile(first)).equals(start));
    assert.ok((await readFile(second)).equals(between));
    await succeed('qemu-img', ['snapshot', '-d', 'one', image]);
    await succeed('qemu-img', ['snapshot', '-a', 'two', image]);
    await qemuImgCheck(image);
    await play({ image, bytes: between, clusterSize: 4096, seed: 4 });
  });

  it('preallocated by QEMU', async () => {
    const image = fresh('qcow2');
    const options = 'preallocation=metadata,cluster_size=4k';
    await succeed('qemu-img', ['create', '-f', 'qcow2', '-o', options, image, '300k']);
    await play({ image, bytes: Buffer.alloc(300 * 1024), clusterSize: 4096, seed: 8, steps: 40 });
  });
});
