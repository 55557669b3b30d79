import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { createWithQemu } from '../../../test/support/encrypted-image.ts';
import { run, succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../../../test/support/qemu.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { CalveError } from '../../errors/index.ts';
import { Chain } from '../chain.ts';
import {
  type CreateOptions,
  checkQcow2,
  createQcow2,
  followBacking,
  openQcow2,
  type Qcow2Disk,
} from '../index.ts';
import { openImage } from '../open-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (suffix: string): string => {
  names += 1;
  return folder.join(`${names}.${suffix}`);
};

const CLUSTER = 4096;

/** Compresses to about a third. */
function text(length: number, seed: number): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(
    Array.from({ length }, (_, at) => (at % 3 === 0 ? Math.floor(random() * 64) : seed & 0xff)),
  );
}

const noise = (length: number): Buffer => randomFillSync(Buffer.alloc(length));

async function create(options: Partial<CreateOptions> = {}): Promise<string> {
  const path = fresh('qcow2');
  await createQcow2(path, { size: 64 * CLUSTER, clusterSize: CLUSTER, sync: false, ...options });
  return path;
}

const open = (path: string): Promise<Qcow2Disk> =>
  openQcow2(path, { writable: true, backing: followBacking() });

/** Both checks find the image right, and QEMU reads it as `content`. */
async function assertSound(path: string, content: Uint8Array): Promise<void> {
  await qemuImgCheck(path);
  const { corruptions, leaks, checkErrors } = await checkQcow2(path);
  assert.deepEqual({ corruptions, leaks, checkErrors }, { corruptions: 0, leaks: 0, checkErrors: 0 });
  const raw = fresh('raw');
  await writeFile(raw, content);
  await qemuImgCompare(path, 'qcow2', raw, 'raw');
}

/** L2 entries in the order of guest clusters, of an image with one L2 table. */
async function entries(path: string, count: number): Promise<bigint[]> {
  const bytes = await readFile(path);
  const l1 = Number(bytes.readBigUInt64BE(40));
  const table = Number(bytes.readBigUInt64BE(l1) & 0x00ff_ffff_ffff_fe00n);
  return Array.from({ length: count }, (_, entry) => bytes.readBigUInt64BE(table + entry * 8));
}

describe('writing compressed clusters', () => {
  for (const [compressionType, version] of [
    ['zlib', 2],
    ['zlib', 3],
    ['zstd', 3],
  ] as const) {
    it(`trap 16: packs ${compressionType} clusters of version ${version} one behind the other, COPIED clear`, async () => {
      const path = await create({ compressionType, version });
      const content = text(64 * CLUSTER, 7);
      const disk = await open(path);
      await disk.writeCompressed(content.subarray(0, 20 * CLUSTER), 0);
      await disk.writeCompressed(content.subarray(20 * CLUSTER), 20 * CLUSTER);
      const read = Buffer.alloc(content.length);
      await disk.read(read, 0);
      assert.ok(read.equals(content));
      await disk.close();
      await assertSound(path, content);
      const found = await entries(path, 64);
      const bits = 70n - 12n;
      const places = found.map((entry) => Number(entry & ((1n << bits) - 1n)));
      const spans = found.map((entry) => Number((entry >> bits) & 0xfn));
      assert.ok(
        found.every((entry) => entry >> 62n === 1n),
        'compressed, and not COPIED',
      );
      const ends = places.map((place, at) => place + ((spans[at] ?? 0) + 1) * 512 - (place % 512));
      const apart = places.filter((place, at) => {
        const before = ends[at - 1] ?? place;
        return place > before || place <= before - 512;
      });
      // The L2 table was made in between.
      assert.equal(apart.length, 1, 'each begins in the last sector of the one before');
      const crossing = places.filter((place, at) => {
        return Math.floor(place / CLUSTER) !== Math.floor(((ends[at] ?? 0) - 1) / CLUSTER);
      });
      assert.ok(crossing.length > 0, 'some lie across two host clusters');
    });
  }

  it('takes no more room than qemu-img convert -c', async () => {
    const [raw, theirs, path] = [fresh('raw'), fresh('qcow2'), await create({ compressionType: 'zstd' })];
    const content = text(64 * CLUSTER, 3);
    await writeFile(raw, content);
    const options = 'compression_type=zstd,cluster_size=4k';
    await succeed('qemu-img', ['convert', '-c', '-Oqcow2', '-o', options, raw, theirs]);
    const disk = await open(path);
    await disk.writeCompressed(content, 0);
    await disk.close();
    const [ours, qemus] = [(await stat(path)).size, (await stat(theirs)).size];
    assert.ok(ours <= qemus + 2 * CLUSTER, `${ours} bytes, QEMU's ${qemus}`);
    const counts = await qemuCounts(path);
    assert.equal(counts?.compressedClusters, 64);
  });

  it('writes plain what does not shrink, and zeros as zero clusters', async () => {
    const path = await create();
    const content = Buffer.concat([
      text(CLUSTER, 1),
      noise(CLUSTER),
      Buffer.alloc(2 * CLUSTER),
      noise(2 * CLUSTER),
    ]);
    const disk = await open(path);
    await disk.write(Buffer.alloc(8 * CLUSTER, 9), 0);
    await disk.writeCompressed(content, 0);
    await disk.close();
    const whole = Buffer.alloc(64 * CLUSTER);
    whole.fill(9, 0, 8 * CLUSTER);
    whole.set(content);
    await assertSound(path, whole);
    const kinds = (await entries(path, 6)).map((entry) => Number(entry >> 62n));
    assert.deepEqual(kinds, [1, 2, 0, 0, 2, 2], 'compressed, plain and COPIED, none');
  });

  for (const version of [2, 3] as const) {
    it(`trap 21: zeros hide what a backing file holds, in version ${version}`, async () => {
      const base = fresh('raw');
      await writeFile(base, Buffer.alloc(64 * CLUSTER, 5));
      const path = await create({ version, backingFile: base, backingFormat: 'raw' });
      const disk = await open(path);
      await disk.writeCompressed(Buffer.alloc(3 * CLUSTER), CLUSTER);
      await disk.close();
      const content = Buffer.alloc(64 * CLUSTER, 5).fill(0, CLUSTER, 4 * CLUSTER);
      await assertSound(path, content);
      assert.equal((await qemuCounts(path))?.compressedClusters, version === 2 ? 3 : 0);
    });
  }

  for (const refcountBits of [1, 2, 4, 64]) {
    it(`trap 29: refcounts of ${refcountBits} bits begin a new host cluster when they cannot count higher`, async () => {
      const path = await create({ refcountBits });
      const content = Buffer.alloc(64 * CLUSTER, 'a few words. ');
      const disk = await open(path);
      await disk.writeCompressed(content, 0);
      await disk.close();
      await assertSound(path, content);
      assert.equal((await qemuCounts(path))?.compressedClusters, 64);
    });
  }

  it('trap 28: overwrites data, compressed and plain and zero, again and again, and leaks nothing', async () => {
    const path = await create({ clusterSize: 512, size: 300 * 512 });
    const random = seededRandom(11);
    const content = Buffer.alloc(300 * 512);
    const disk = await open(path);
    for (let round = 0; round < 60; round += 1) {
      const first = Math.floor(random() * 290);
      const count = 1 + Math.floor(random() * 9);
      const [offset, length] = [first * 512, count * 512];
      const makers = [text, noise, (bytes: number) => Buffer.alloc(bytes)];
      const bytes = makers[Math.floor(random() * 3)]?.(length, round);
      assert.ok(bytes);
      content.set(bytes, offset);
      if (random() < 0.7) await disk.writeCompressed(bytes, offset);
      else await disk.write(bytes, offset);
      if (random() < 0.3) await disk.flush();
      const read = Buffer.alloc(content.length);
      await disk.read(read, 0);
      assert.ok(read.equals(content), `round ${round}`);
    }
    await disk.close();
    await assertSound(path, content);
  });

  it('takes many calls at one time, and writes beside them', async () => {
    const size = 12 * 2 ** 20;
    const path = await create({ size, clusterSize: 65_536, compressionType: 'zstd' });
    const pattern = text(2 ** 20, 5);
    const content = Buffer.alloc(size);
    for (let at = 0; at < size; at += 65_536)
      content.set(pattern.subarray(at % 2 ** 20, (at % 2 ** 20) + 65_500), at);
    const disk = await open(path);
    const writes: Promise<void>[] = [];
    for (let at = 0; at < size; at += 3 * 65_536) {
      const part = content.subarray(at, at + 3 * 65_536);
      writes.push(
        at % 2 === 0 && at % (9 * 65_536) === 0 ? disk.write(part, at) : disk.writeCompressed(part, at),
      );
      if (at % (30 * 65_536) === 0) writes.push(disk.flush());
    }
    await Promise.all(writes);
    await disk.close();
    await assertSound(path, content);
  });

  it('writes a short last cluster, which QEMU reads', async () => {
    const size = 5 * CLUSTER + 1536;
    const path = await create({ size });
    const content = text(size, 2);
    const disk = await open(path);
    await disk.writeCompressed(content, 0);
    await disk.writeCompressed(content.subarray(4 * CLUSTER), 4 * CLUSTER);
    await disk.close();
    await assertSound(path, content);
  });

  it('goes on behind what QEMU packed, and QEMU behind that', async () => {
    const path = await create();
    await qemuIo(path, ['write -c -P 1 0 4k', 'write -c -P 2 4k 4k']);
    const disk = await open(path);
    await disk.writeCompressed(Buffer.alloc(2 * CLUSTER, 3), CLUSTER);
    await disk.close();
    await qemuIo(path, ['write -c -P 4 12k 4k', 'write -c -P 5 16k 4k', 'write -P 6 0 4k']);
    const content = Buffer.alloc(64 * CLUSTER);
    for (const [cluster, value] of [6, 3, 3, 4, 5].entries()) {
      content.fill(value, cluster * CLUSTER, (cluster + 1) * CLUSTER);
    }
    await assertSound(path, content);
  });

  it('leaves a host cluster whose data was freed to others, though it has room left', async () => {
    const path = await create();
    const disk = await open(path);
    await disk.writeCompressed(text(CLUSTER, 1), 0);
    await disk.discard(0, CLUSTER);
    await disk.flush();
    // The freed host cluster becomes this one's; a cluster packed into its rest would break it.
    const plain = noise(CLUSTER);
    await disk.write(plain, CLUSTER);
    await disk.writeCompressed(text(CLUSTER, 2), 2 * CLUSTER);
    await disk.close();
    const content = Buffer.alloc(64 * CLUSTER);
    content.set(plain, CLUSTER);
    content.set(text(CLUSTER, 2), 2 * CLUSTER);
    await assertSound(path, content);
  });

  it('reads the new data where other compressed data lay, and had been unpacked', async () => {
    const path = await create();
    const disk = await open(path);
    const read = Buffer.alloc(CLUSTER);
    const seen = new Set<number>();
    for (let round = 1; round < 8; round += 1) {
      await disk.writeCompressed(Buffer.alloc(CLUSTER, round), 0);
      await disk.flush();
      await disk.read(read, 0);
      assert.ok(read.equals(Buffer.alloc(CLUSTER, round)), `round ${round}`);
      seen.add(Number((await entries(path, 1))[0]));
      await disk.discard(0, CLUSTER);
      await disk.flush();
    }
    assert.ok(seen.size < 7, 'some place was used again');
    await disk.close();
  });

  it('trap 15: clears the subclusters of what is compressed', async () => {
    const path = fresh('qcow2');
    const options = 'extended_l2=on,cluster_size=16k';
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, '256k']);
    await qemuIo(path, ['write -P 1 0 5k', 'write -z 20k 3k', 'write -P 2 100k 2k']);
    const content = Buffer.alloc(256 * 1024);
    content.fill(2, 100 * 1024, 102 * 1024);
    content.set(text(48 * 1024, 3));
    const disk = await open(path);
    await disk.writeCompressed(content.subarray(0, 48 * 1024), 0);
    await disk.close();
    await assertSound(path, content);
    assert.equal((await qemuCounts(path))?.compressedClusters, 3);
  });

  it('refuses parts of clusters, as QEMU does', async () => {
    const path = await create();
    const disk = await open(path);
    for (const [length, offset] of [
      [512, 0],
      [CLUSTER, 512],
      [CLUSTER + 512, 62 * CLUSTER],
    ] as const) {
      await assert.rejects(disk.writeCompressed(Buffer.alloc(length, 1), offset), { code: 'out-of-range' });
    }
    await assert.rejects(disk.writeCompressed(Buffer.alloc(CLUSTER), 64 * CLUSTER), { code: 'out-of-range' });
    await disk.close();
    assert.match((await run('qemu-io', ['-c', 'write -c 512 4k', path])).stdout, /Invalid argument/);
  });

  it('refuses an encrypted image, as qemu-img convert does', async () => {
    const image = { path: fresh('qcow2'), secret: 'open sesame' };
    await createWithQemu(image, { format: 'aes' });
    const passphrase = Buffer.from(image.secret);
    const disk = await openQcow2(image.path, {
      writable: true,
      backing: followBacking(),
      encryption: { passphrase },
    });
    await assert.rejects(disk.writeCompressed(Buffer.alloc(65_536, 1), 0), { code: 'unsupported' });
    await disk.close();
  });

  it('gives its space back when the data cannot be written', async () => {
    const path = await create();
    const storage = new CrashStorage('image.qcow2', await readFile(path));
    const disk = await openImage(storage, {
      writable: true,
      chain: Chain.begin(),
      openBacking: async () => null,
    });
    const write = storage.write.bind(storage);
    storage.write = () => Promise.reject(new CalveError('no-space', 'the disk is full'));
    await assert.rejects(disk.writeCompressed(text(3 * CLUSTER, 1), 0), { code: 'no-space' });
    storage.write = write;
    await disk.writeCompressed(text(3 * CLUSTER, 2), 0);
    await disk.close();
    await writeFile(path, storage.content);
    const content = Buffer.alloc(64 * CLUSTER);
    content.set(text(3 * CLUSTER, 2));
    await assertSound(path, content);
  });
});
