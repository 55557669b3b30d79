import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { PromisedContent } from '../../../test/support/promised-content.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Disk, MemoryDisk } from '../../disk/index.ts';
import { Chain } from '../chain.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { openImage } from '../open-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// More in a long run: CALVE_CRASH_CUTS=5000 CALVE_CRASH_SEED=7 node --test src/qcow2/writing/crash.test.ts
const { CALVE_CRASH_CUTS = '40', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
const SEED = Number(CALVE_CRASH_SEED);

/** The part of the disk that histories write. */
const SIZE = 96 * 1024;
const UNIT = 256;

interface Start {
  readonly image: Uint8Array;
  readonly content: Buffer;
  readonly backing: () => Disk | null;
}

/** A history on an image in memory: writes, zeroes, discards, some at one time, and flushes. */
async function play(
  start: Start,
  seed: number,
): Promise<{ storage: CrashStorage; promised: PromisedContent }> {
  const random = seededRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const storage = new CrashStorage('crash.qcow2', start.image);
  const units = Array.from({ length: SIZE / UNIT }, (_, unit) => start.content[unit * UNIT] ?? 0);
  const promised = new PromisedContent(units);
  const disk = await openImage(storage, {
    writable: true,
    chain: Chain.begin(),
    openBacking: async () => start.backing(),
  });
  const step = async (unit: number, units: number): Promise<void> => {
    const value = below(3) === 0 ? 0 : 1 + below(255);
    const [offset, length] = [unit * UNIT, units * UNIT];
    const change = promised.begins(unit, unit + units, value, storage.clock);
    if (value !== 0) await disk.write(Buffer.alloc(length, value), offset);
    else await disk.writeZeroes(offset, length, { unmap: below(2) === 0 });
    promised.ends(change, storage.tick());
  };
  const flush = async (): Promise<void> => {
    const begun = storage.tick();
    await disk.flush();
    promised.flushed(begun, storage.clock);
  };
  for (let round = 0; round < 25; round += 1) {
    const half = 1 + below(SIZE / UNIT - 1);
    const start = below(half);
    await Promise.all([
      step(start, 1 + below((half - start) / 2)),
      step(half, 1 + below((SIZE / UNIT - half) / 2)),
      ...(below(4) === 0 ? [flush()] : []),
    ]);
    if (below(3) === 0) await flush();
  }
  const begun = storage.tick();
  await disk.close();
  promised.flushed(begun, storage.clock);
  return { storage, promised };
}

async function assertSound(
  storage: CrashStorage,
  promised: PromisedContent,
  start: Start,
  seed: number,
): Promise<void> {
  const random = seededRandom(seed);
  const file = folder.join('cut.qcow2');
  for (let cut = 0; cut < CUTS; cut += 1) {
    const moment = Math.floor(random() * (storage.clock + 1));
    const survive = [0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0;
    const content = storage.after(moment, () => random() < survive);
    await writeFile(file, content);
    const checked = await run('qemu-img', ['check', '-f', 'qcow2', file]);
    // 3: clusters leaked, and nothing worse.
    assert.ok(checked.code === 0 || checked.code === 3, `cut at ${moment}: ${report(checked)}`);
    await using disk = await openImage(new CrashStorage(file, content), {
      writable: false,
      chain: Chain.begin(),
      openBacking: async () => start.backing(),
    });
    const bytes = Buffer.alloc(SIZE);
    await disk.read(bytes, 0);
    promised.at(moment).forEach((value, unit) => {
      if (value === undefined) return;
      const found = bytes.subarray(unit * UNIT, (unit + 1) * UNIT);
      assert.ok(
        found.every((byte) => byte === value),
        `cut at ${moment}: unit ${unit} was flushed as ${value}, and is ${found[0]}`,
      );
    });
  }
}

async function filled(size: number, value: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk(size);
  await disk.write(Buffer.alloc(size, value), 0);
  return disk;
}

const base = await filled(70 * 1024, 0xb5);
await writeFile(folder.join('base'), Buffer.alloc(70 * 1024, 0xb5));
const baseContent = Buffer.concat([Buffer.alloc(70 * 1024, 0xb5), Buffer.alloc(26 * 1024)]);
/** A view that may be closed without closing the disk. */
const borrowed = (disk: Disk): Disk => ({
  size: disk.size,
  read: (into, offset) => disk.read(into, offset),
  close: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

const empty = (clusterSize: number, more: object = {}): Start => ({
  image: encodeEmptyImage({ size: SIZE, clusterSize, ...more }),
  content: Buffer.alloc(SIZE),
  backing: () => null,
});

/** An image of 512-byte clusters whose refcount table, which has room for 4096 clusters, is full but for a few. */
async function nearlyFull(): Promise<Start> {
  const empty = encodeEmptyImage({ size: 4 * 1024 ** 2, clusterSize: 512, refcountBits: 64 });
  const storage = new CrashStorage('full.qcow2', empty);
  const disk = await openImage(storage, {
    writable: true,
    chain: Chain.begin(),
    openBacking: async () => null,
  });
  await disk.write(Buffer.alloc(1950 * 1024, 1), 1024 ** 2);
  await disk.close();
  assert.ok(storage.content.length < 4096 * 512);
  return { image: storage.content, content: Buffer.alloc(SIZE), backing: () => null };
}

/** An image with subclusters of 512 bytes, some with data, some zeros, over the base or under a snapshot. */
async function withSubclusters(overBase: boolean): Promise<Start> {
  const [image, raw] = [folder.join('subclusters.qcow2'), folder.join('subclusters.raw')];
  const below = overBase ? ['-b', 'base', '-F', 'raw'] : [];
  const options = ['-o', 'extended_l2=on,cluster_size=16k', image, `${SIZE}`];
  const cwd = folder.path;
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...below, ...options], { cwd });
  const commands = ['write -P 7 1k 20k', 'write -z 4k 2k', 'write -P 8 40k 512', 'write -P 9 64k 16k'];
  await succeed('qemu-io', commands.flatMap((command) => ['-c', command]).concat(image));
  if (!overBase) await succeed('qemu-img', ['snapshot', '-c', 'kept', image]);
  await succeed('qemu-img', ['convert', '-O', 'raw', image, raw]);
  const backing = () => (overBase ? borrowed(base) : null);
  return { image: await readFile(image), content: await readFile(raw), backing };
}

const starts: [string, () => Promise<Start>][] = [
  ['trap 15: subclusters over a shorter base', () => withSubclusters(true)],
  ['trap 15: subclusters that a snapshot shares', () => withSubclusters(false)],
  ['an empty image with clusters of 512 bytes', async () => empty(512)],
  ['an empty image with clusters of 4096 bytes', async () => empty(4096)],
  ['refcounts of 64 bits, whose blocks and table grow', nearlyFull],
  ['refcounts of one bit, version 3', async () => empty(1024, { refcountBits: 1 })],
  [
    'an image over a shorter base',
    async () => ({
      ...empty(4096, { backingFile: 'base', backingFormat: 'raw' }),
      content: baseContent,
      backing: () => borrowed(base),
    }),
  ],
  [
    'compressed clusters, and a snapshot of them',
    async () => {
      const [raw, image] = [folder.join('start.raw'), folder.join('start.qcow2')];
      await writeFile(raw, Buffer.alloc(SIZE, 0x5a));
      await succeed('qemu-img', ['convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4k', raw, image]);
      await succeed('qemu-img', ['snapshot', '-c', 'kept', image]);
      return { image: await readFile(image), content: Buffer.alloc(SIZE, 0x5a), backing: () => null };
    },
  ],
];

describe('trap 34: a crash at any moment costs leaks at worst, and nothing that was flushed', () => {
  for (const [name, start] of starts) {
    it(name, async () => {
      const from = await start();
      const { storage, promised } = await play(from, SEED);
      if (start === nearlyFull)
        assert.ok(storage.content.readUInt32BE(56) > 1, 'the refcount table has grown');
      await assertSound(storage, promised, from, SEED + 1);
    });
  }
});
