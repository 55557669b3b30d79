import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { qemuIo } from '../../test/support/qemu.ts';
import { seededRandom } from '../../test/support/random.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import type { Disk, Extent } from '../disk/index.ts';
import { followBacking, openQcow2 } from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (suffix: string): string => {
  names += 1;
  return folder.join(`${names}.${suffix}`);
};

/** Content with runs of zeros, of text and of noise, that do not end with clusters. */
function content(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  const random = seededRandom(seed);
  for (let at = 0; at < size; ) {
    const end = Math.min(size, at + 1 + Math.floor(random() * 40_000));
    const kind = Math.floor(random() * 3);
    if (kind === 1) bytes.fill(`line ${seed} `, at, end);
    if (kind === 2) for (let byte = at; byte < end; byte += 1) bytes[byte] = random() * 256;
    at = end;
  }
  return bytes;
}

/** Reads everything three ways: in one piece, in odd pieces, and without waiting where that can be done. */
async function assertReads(disk: Disk, expected: Buffer, where: string): Promise<void> {
  assert.equal(disk.size, expected.length, where);
  const whole = Buffer.alloc(disk.size, 0xaa);
  await disk.read(whole, 0);
  assert.ok(whole.equals(expected), `${where}: read whole`);
  for (const [step, quick] of [
    [33_333, false],
    [4096, true],
    [40_961, true],
  ] as const) {
    for (let at = 0; at < expected.length; at += step) {
      const piece = Buffer.alloc(Math.min(step, expected.length - at), 0xbb);
      if (!quick || !disk.tryRead?.(piece, at)) await disk.read(piece, at);
      assert.ok(piece.equals(expected.subarray(at, at + piece.length)), `${where}: ${piece.length} at ${at}`);
    }
  }
}

/** The image as QEMU reads it. */
async function flat(image: string): Promise<Buffer> {
  const raw = fresh('raw');
  await succeed('qemu-img', ['convert', '-O', 'raw', image, raw]);
  return readFile(raw);
}

async function assertReadsAsQemu(image: string): Promise<void> {
  await using disk = await openQcow2(image, { backing: followBacking() });
  await assertReads(disk, await flat(image), image);
}

describe('what QEMU wrote reads the same', () => {
  for (const version of ['0.10', '1.1']) {
    for (const clusterSize of [512, 4096, 65_536, 2 ** 21]) {
      it(`version ${version}, clusters of ${clusterSize} bytes, plain and packed`, async () => {
        const raw = fresh('raw');
        const size = clusterSize > 65_536 ? 3 * clusterSize + 1536 : 600_064;
        await writeFile(raw, content(size, clusterSize));
        const packings =
          version === '1.1' ? ['', 'compression_type=zlib', 'compression_type=zstd'] : ['', 'x'];
        for (const packing of packings) {
          const image = fresh('qcow2');
          const options = [`compat=${version}`, `cluster_size=${clusterSize}`];
          if (packing.includes('=')) options.push(packing);
          const convert = ['convert', ...(packing ? ['-c'] : []), '-O', 'qcow2', '-o', options.join(',')];
          await succeed('qemu-img', [...convert, raw, image]);
          await assertReadsAsQemu(image);
        }
      });
    }
  }

  it('every width of refcounts', async () => {
    for (const bits of [1, 2, 4, 8, 16, 32, 64]) {
      const image = fresh('qcow2');
      await succeed('qemu-img', ['create', '-f', 'qcow2', '-o', `refcount_bits=${bits}`, image, '1M']);
      await qemuIo(image, [`write -P ${bits} 100k 300k`]);
      await assertReadsAsQemu(image);
    }
  });

  it('clusters that were zeroed, discarded, written in part, and shared with snapshots', async () => {
    const image = fresh('qcow2');
    await succeed('qemu-img', ['create', '-f', 'qcow2', image, '4M']);
    await qemuIo(image, [
      'write -P 1 0 2M',
      'write -P 2 2500k 3k',
      'write -z 64k 64k',
      'write -z -u 256k 128k',
    ]);
    await succeed('qemu-img', ['snapshot', '-c', 's', image]);
    await qemuIo(image, ['write -P 3 100k 10k', 'discard 512k 192k', 'write -z 700k 1k']);
    await assertReadsAsQemu(image);
  });

  it('trap 20: a chain of three whose base is the shortest, with every kind of cluster in each', async () => {
    const [raw, base, middle, top] = [fresh('raw'), fresh('qcow2'), fresh('qcow2'), fresh('qcow2')];
    await writeFile(raw, content(900_096, 9));
    await succeed('qemu-img', ['convert', '-c', '-O', 'qcow2', '-o', 'compression_type=zstd', raw, base]);
    const create = ['create', '-f', 'qcow2', '-F', 'qcow2'];
    await succeed('qemu-img', [...create, '-b', base, '-o', 'cluster_size=4k', middle, '1500k']);
    await qemuIo(middle, [
      'write -P 5 10k 100k',
      'write -z 200k 100k',
      'write -P 6 1000k 20k',
      'discard 300k 40k',
    ]);
    await succeed('qemu-img', [...create, '-b', middle, '-o', 'compat=0.10', top, '3M']);
    await qemuIo(top, ['write -P 7 1400k 200k', 'write -P 8 64k 1k']);
    await assertReadsAsQemu(top);
  });

  it('trap 9: a disk whose size ends inside a sector, without that part', async () => {
    const image = fresh('qcow2');
    await succeed('qemu-img', ['create', '-f', 'qcow2', image, '128k']);
    await qemuIo(image, ['write -P 5 0 128k']);
    const bytes = await readFile(image);
    bytes.writeBigUInt64BE(BigInt(128 * 1024 - 100), 24);
    await writeFile(image, bytes);
    assert.equal((await flat(image)).length, 128 * 1024 - 512);
    await assertReadsAsQemu(image);
  });

  it('trap 19: data clusters past the end of the file, as zeros', async () => {
    const image = fresh('qcow2');
    await succeed('qemu-img', ['create', '-f', 'qcow2', image, '256k']);
    await qemuIo(image, ['write -P 5 0 256k']);
    const bytes = await readFile(image);
    await writeFile(image, bytes.subarray(0, bytes.length - 100_000));
    await assertReadsAsQemu(image);
  });
});

describe('the extents of a disk', () => {
  it('are those that QEMU maps, with the depth of the chain', async () => {
    const [base, top] = [fresh('qcow2'), fresh('qcow2')];
    await succeed('qemu-img', ['create', '-f', 'qcow2', base, '1M']);
    await qemuIo(base, ['write -P 1 0 300k', 'write -z 400k 100k']);
    await succeed('qemu-img', ['create', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top, '1100M']);
    await qemuIo(top, ['write -P 2 128k 64k', 'write -z 192k 64k', 'write -P 3 700M 64k']);
    const mapped: unknown = JSON.parse(await succeed('qemu-img', ['map', '--output', 'json', top]));
    assert.ok(Array.isArray(mapped));
    await using disk = await openQcow2(top, { backing: followBacking() });
    const extents = await Array.fromAsync(disk.extents(0, disk.size));
    const data = (extent: Extent) => extent.kind === 'data';
    assert.deepEqual(
      extents.filter(data).map(({ offset, length, depth }) => ({ offset, length, depth })),
      mapped
        .filter((entry) => entry.data)
        .map(({ start, length, depth }) => ({ offset: start, length, depth })),
    );
    assert.deepEqual(await Array.fromAsync(disk.ownExtents(0, 1024 * 1024)), [
      { offset: 0, length: 131_072, kind: 'unallocated', depth: 0 },
      { offset: 131_072, length: 65_536, kind: 'data', depth: 0 },
      { offset: 196_608, length: 65_536, kind: 'zero', depth: 0 },
      { offset: 262_144, length: 786_432, kind: 'unallocated', depth: 0 },
    ]);
  });

  it('cost nothing for what was never written, however large the disk', async () => {
    const image = fresh('qcow2');
    await succeed('qemu-img', ['create', '-f', 'qcow2', image, '100T']);
    await using disk = await openQcow2(image, { backing: followBacking() });
    assert.deepEqual(await Array.fromAsync(disk.extents(0, disk.size)), [
      { offset: 0, length: disk.size, kind: 'unallocated', depth: 0 },
    ]);
  });
});
