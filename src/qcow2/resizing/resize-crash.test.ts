import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { PromisedContent } from '../../../test/support/promised-content.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { isZero } from '../../bytes/index.ts';
import { type Disk, MemoryDisk } from '../../disk/index.ts';
import { Chain } from '../chain.ts';
import { inspectImage } from '../check/inspect-image.ts';
import { type EmptyImageOptions, encodeEmptyImage } from '../empty-image.ts';
import { ImageFile } from '../image-file.ts';
import { openImage } from '../open-image.ts';
import type { Qcow2Disk } from '../qcow2-disk.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// More in a long run: CALVE_CRASH_CUTS=5000 CALVE_CRASH_SEED=7 node --test src/qcow2/resizing/resize-crash.test.ts
const { CALVE_CRASH_CUTS = '20', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
const SEED = Number(CALVE_CRASH_SEED);

const UNIT = 512;
/** The largest size of a history. */
const MOST = 160 * 1024;
const BASE = 100 * 1024;

const openDisk = (storage: CrashStorage, writable: boolean, based: boolean): Promise<Qcow2Disk> =>
  openImage(storage, {
    writable,
    chain: Chain.begin(),
    openBacking: async () => (based ? filled(BASE, 0xb5) : null),
  });

async function filled(size: number, value: number): Promise<Disk> {
  const disk = new MemoryDisk(size);
  await disk.write(Buffer.alloc(size, value), 0);
  return disk;
}

/** What was so from one moment on, and another thing until another: a size in between may be either. */
interface SizeChange {
  readonly from: number;
  readonly to: number;
  readonly begin: number;
  end: number;
}

interface History {
  readonly storage: CrashStorage;
  readonly promised: PromisedContent;
  readonly sizes: readonly SizeChange[];
}

/** Writes, flushes and new sizes. What lies past the end of the disk is no part of what is promised. */
async function play(options: EmptyImageOptions, seed: number): Promise<History> {
  const random = seededRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const storage = new CrashStorage('crash.qcow2', encodeEmptyImage(options));
  const based = options.backingFile !== undefined;
  const disk = await openDisk(storage, true, based);
  const shown = based ? Math.min(BASE, options.size) / UNIT : 0;
  const initial = Array.from({ length: MOST / UNIT }, (_, unit) => (unit < shown ? 0xb5 : 0));
  const promised = new PromisedContent(initial);
  const sizes: SizeChange[] = [{ from: 0, to: options.size, begin: -1, end: -1 }];
  const flush = async (): Promise<void> => {
    const begun = storage.clock;
    await disk.flush();
    promised.flushed(begun, storage.clock);
  };
  const write = async (): Promise<void> => {
    const units = disk.size / UNIT;
    if (units === 0) return;
    const from = below(units);
    const to = Math.min(units, from + 1 + below(60));
    const value = below(255);
    const change = promised.begins(from, to, value, storage.clock);
    await disk.write(Buffer.alloc((to - from) * UNIT, value), from * UNIT);
    promised.ends(change, storage.clock);
  };
  const resize = async (): Promise<void> => {
    const size = below(MOST / UNIT + 1) * UNIT;
    const [low, high] = [Math.min(size, disk.size) / UNIT, Math.max(size, disk.size) / UNIT];
    const change = promised.begins(low, high, 0, storage.clock);
    const resized: SizeChange = {
      from: disk.size,
      to: size,
      begin: storage.clock,
      end: Number.POSITIVE_INFINITY,
    };
    sizes.push(resized);
    const begun = storage.clock;
    const preallocation = size > disk.size && below(3) === 0 && !based ? 'metadata' : 'off';
    await disk.resize(size, { shrink: true, preallocation });
    resized.end = storage.clock;
    promised.ends(change, storage.clock);
    // All that came before is durable with the new size.
    promised.flushed(begun, storage.clock);
  };
  for (let round = 0; round < 24; round += 1) {
    await write();
    if (below(3) === 0) await flush();
    if (below(2) === 0) await resize();
  }
  const begun = storage.clock;
  await disk.close();
  promised.flushed(begun, storage.clock);
  return { storage, promised, sizes };
}

/** A crash at random moments, with what of the unflushed writes survives left to chance. */
async function assertSound(history: History, based: boolean, lazy: boolean): Promise<void> {
  const { storage, promised, sizes } = history;
  const random = seededRandom(SEED + 1);
  const file = folder.join('cut.qcow2');
  let repairs = 0;
  for (let cut = 0; cut < CUTS; cut += 1) {
    const moment = Math.floor(random() * (storage.clock + 1));
    const survive = [0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0;
    const content = storage.after(moment, () => random() < survive);
    const cutOff = new CrashStorage(file, content);
    const disk = await openDisk(cutOff, lazy, based);
    if (disk.warnings.length > 0) repairs += 1;
    await assertContent(disk, promised.at(moment), sizes, moment);
    await disk.close();
    const { report: found } = await inspectImage(new ImageFile(cutOff));
    assert.equal(found.corruptions + found.checkErrors, 0, `cut at ${moment}: ${JSON.stringify(found)}`);
    if (cut % 5 !== 4) continue;
    await writeFile(file, cutOff.content);
    const checked = await run('qemu-img', ['check', '-f', 'qcow2', file]);
    // 3: clusters leaked, and nothing worse.
    assert.ok(checked.code === 0 || checked.code === 3, `cut at ${moment}: ${report(checked)}`);
  }
  assert.ok(!lazy || repairs > 0, 'some images had to be repaired');
}

async function assertContent(
  disk: Disk,
  units: readonly (number | undefined)[],
  sizes: readonly SizeChange[],
  moment: number,
): Promise<void> {
  const settled = sizes.findLast(({ end }) => end <= moment);
  const possible = sizes.filter((size) => size === settled || (size.begin <= moment && moment < size.end));
  const right = possible.some(({ to }) => to === disk.size);
  assert.ok(right, `cut at ${moment}: size ${disk.size}`);
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  const grown = possible.find(({ from, to, end }) => end > moment && from < to && to === disk.size);
  if (grown) assert.ok(isZero(bytes.subarray(grown.from)), `cut at ${moment}: what growth adds reads zeros`);
  for (let unit = 0; unit < disk.size / UNIT; unit += 1) {
    const value = units[unit];
    if (value === undefined) continue;
    const found = bytes.subarray(unit * UNIT, (unit + 1) * UNIT);
    const same = found.every((byte) => byte === value);
    assert.ok(same, `cut at ${moment}: unit ${unit} was flushed as ${value}, and is ${found[0]}`);
  }
}

await writeFile(folder.join('base'), Buffer.alloc(BASE, 0xb5));
const over = { backingFile: 'base', backingFormat: 'raw' };

describe('trap 34: a crash at any moment of a resize leaves the old size or the new, and nothing worse than leaks', () => {
  for (const options of [
    { size: 40 * 1024, clusterSize: 512 },
    { size: 40 * 1024, clusterSize: 4096, version: 2 },
    { size: 40 * 1024, clusterSize: 1024, refcountBits: 1 },
    { size: 40 * 1024 + 512, clusterSize: 2048, ...over },
    { size: 40 * 1024, clusterSize: 512, version: 2, ...over },
    { size: 40 * 1024, clusterSize: 16_384, extendedL2: true, ...over },
  ] satisfies EmptyImageOptions[]) {
    it(JSON.stringify(options), async () => {
      await assertSound(await play(options, SEED), 'backingFile' in options, false);
    });
  }
});

describe('trap 34: at every moment', () => {
  /** An image that holds data everywhere, in memory. */
  const full = async (options: EmptyImageOptions): Promise<CrashStorage> => {
    const storage = new CrashStorage('full.qcow2', encodeEmptyImage(options));
    const disk = await openDisk(storage, true, false);
    await disk.write(Buffer.alloc(options.size, 7), 0);
    await disk.close();
    return new CrashStorage('full.qcow2', storage.content);
  };
  /** Every moment of what `change` does, with nothing, all and half of the unflushed writes surviving. */
  const assertAlways = async (
    options: EmptyImageOptions,
    change: (disk: Qcow2Disk) => Promise<void>,
  ): Promise<void> => {
    const storage = await full(options);
    const disk = await openDisk(storage, true, false);
    await change(disk);
    await disk.close();
    const random = seededRandom(SEED);
    for (let moment = 0; moment <= storage.clock; moment += 1) {
      for (const survive of [0, 0.5, 1]) {
        const cut = new CrashStorage(
          'cut.qcow2',
          storage.after(moment, () => random() < survive),
        );
        // A repair comes first where the image says so itself.
        await (await openDisk(cut, options.lazyRefcounts === true, false)).close();
        const { report } = await inspectImage(new ImageFile(cut));
        assert.equal(report.corruptions + report.checkErrors, 0, `${moment}: ${JSON.stringify(report)}`);
      }
    }
  };

  it('of a shrink that drops refcount blocks and cuts the file off', () =>
    assertAlways({ size: 300 * 1024, clusterSize: 512 }, (disk) => disk.resize(512, { shrink: true })));

  it('of a growth that moves the L1 table', () =>
    assertAlways({ size: 20 * 1024, clusterSize: 512 }, (disk) => disk.resize(5 * 1024 ** 2)));

  it('of the end of an image with lazy refcounts, whose dirty bit goes last', () =>
    assertAlways({ size: 20 * 1024, clusterSize: 512, lazyRefcounts: true }, async (disk) => {
      await disk.resize(40 * 1024);
      await disk.write(Buffer.alloc(20 * 1024, 8), 20 * 1024);
      await disk.flush();
    }));
});

describe('trap 10: a crash with lazy refcounts leaves what a repair at the next opening makes sound', () => {
  for (const options of [
    { size: 40 * 1024, clusterSize: 512, lazyRefcounts: true },
    { size: 40 * 1024, clusterSize: 4096, refcountBits: 64, lazyRefcounts: true },
    { size: 40 * 1024, clusterSize: 1024, lazyRefcounts: true, ...over },
  ] satisfies EmptyImageOptions[]) {
    it(JSON.stringify(options), async () => {
      await assertSound(await play(options, SEED), 'backingFile' in options, true);
    });
  }

  it('QEMU repairs it too', async () => {
    const { storage } = await play({ size: 40 * 1024, clusterSize: 512, lazyRefcounts: true }, SEED);
    const file = folder.join('lazy.qcow2');
    await writeFile(
      file,
      storage.after(Math.floor(storage.clock * 0.7), () => false),
    );
    await succeed('qemu-img', ['check', '-q', '-r', 'all', file]);
    await succeed('qemu-img', ['check', '-q', file]);
  });
});
