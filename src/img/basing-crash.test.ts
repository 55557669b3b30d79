import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../test/support/crash-storage.ts';
import { report, run } from '../../test/support/programs.ts';
import { seededRandom } from '../../test/support/random.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { type Disk, MemoryDisk } from '../disk/index.ts';
import {
  Chain,
  type EmptyImageOptions,
  encodeEmptyImage,
  openImage,
  type Qcow2Disk,
} from '../qcow2/index.ts';
import { commitDisk, rebaseDisk } from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// What images name is there for QEMU to open.
await writeFile(folder.join('below'), encodeEmptyImage({ size: 1024 }));
await writeFile(folder.join('new'), Buffer.alloc(512));

// More in a long run: CALVE_CRASH_CUTS=2000 CALVE_CRASH_SEED=7 node --test src/img/basing-crash.test.ts
const { CALVE_CRASH_CUTS = '12', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
const SEED = Number(CALVE_CRASH_SEED);
const SIZE = 192 * 1024;
/** Every so many cuts QEMU looks as well. */
const QEMU_LOOKS = 3;

const open = (storage: CrashStorage, writable: boolean, backing: Disk | null): Promise<Qcow2Disk> =>
  openImage(storage, { writable, chain: Chain.begin(), openBacking: async () => backing });

async function filled(size: number, seed: number): Promise<MemoryDisk> {
  const random = seededRandom(seed);
  const disk = new MemoryDisk(size);
  for (let at = 0; at < size; at += 4096) {
    const value = Math.floor(random() * 3);
    await disk.write(Buffer.alloc(Math.min(4096, size - at), value), at);
  }
  return disk;
}

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

/** An image with data and zeros in many places. */
async function image(
  options: Partial<EmptyImageOptions>,
  backing: Disk | null,
  snapshot: boolean,
): Promise<Buffer> {
  const named = backing === null ? {} : { backingFile: 'below', backingFormat: 'qcow2' };
  const storage = new CrashStorage('image', encodeEmptyImage({ size: SIZE, ...named, ...options }));
  const random = seededRandom(SEED);
  await using disk = await open(storage, true, backing);
  for (let count = 0; count < 12; count += 1) {
    const at = Math.floor(random() * (SIZE / 512 - 40)) * 512;
    if (count % 4 === 3) await disk.writeZeroes(at, 20 * 512);
    else await disk.write(Buffer.alloc(10 * 512, 65 + count), at);
    if (snapshot && count === 6) await disk.createSnapshot({ name: 'kept' });
  }
  await disk.close();
  return storage.content;
}

/** Runs `check` on what is left at many moments; the last is the end, with nothing lost that was flushed. */
async function cutOften(
  last: number,
  check: (moment: number, keep: () => boolean, where: string) => Promise<void>,
) {
  const random = seededRandom(SEED);
  for (let cut = 0; cut < CUTS; cut += 1) {
    const moment = cut === CUTS - 1 ? last : Math.floor(random() * (last + 1));
    const survive = [0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0;
    await check(moment, () => random() < survive, `cut at ${moment} of ${last}, ${survive} survive`);
  }
}

let looks = 0;
async function assertSound(content: Buffer, where: string): Promise<void> {
  looks += 1;
  if (looks % QEMU_LOOKS !== 0) return;
  const file = folder.join('cut.qcow2');
  await writeFile(file, content);
  const checked = await run('qemu-img', ['check', '-f', 'qcow2', file]);
  // 3: clusters leaked, and nothing worse.
  assert.ok(checked.code === 0 || checked.code === 3, `${where}: ${report(checked)}`);
}

/** Two files whose writes have moments of one clock. */
class SharedClock extends CrashStorage {
  readonly #other: CrashStorage;

  constructor(path: string, content: Uint8Array, other: CrashStorage) {
    super(path, content);
    this.#other = other;
  }

  override tick(): number {
    while (super.clock < this.#other.clock) super.tick();
    super.tick();
    while (this.#other.clock < super.clock) this.#other.tick();
    return super.clock;
  }
}

describe('a commit that is cut off at any moment leaves the overlay reading the same', () => {
  for (const [name, options, snapshot] of [
    ['plain', { clusterSize: 4096 }, false],
    ['version 2', { clusterSize: 4096, version: 2 }, false],
    ['subclusters', { clusterSize: 16384, extendedL2: true }, false],
    ['a snapshot', { clusterSize: 4096 }, true],
  ] as const) {
    it(name, async () => {
      // A shorter base of other clusters, so that it grows and copies.
      const start = encodeEmptyImage({ size: SIZE / 2, clusterSize: 8192 });
      const below = new CrashStorage('below', start);
      const baseDisk = await open(below, true, null);
      const before = await image(options, new MemoryDisk(SIZE / 2), snapshot);
      const storage = new SharedClock('image', before, below);
      const overlay = await open(storage, true, baseDisk);
      const content = await contentOf(overlay);
      const begun = below.clock;
      await commitDisk(overlay, baseDisk);
      const committed = below.clock;
      await overlay.makeEmpty();
      const last = storage.clock;
      assert.ok(begun < committed && committed < last);
      assert.ok((await contentOf(overlay)).equals(content));
      await cutOften(last, async (moment, keep, where) => {
        const [left, leftBelow] = [storage.after(moment, keep), below.after(moment, keep)];
        await assertSound(left, where);
        await assertSound(leftBelow, `${where}, base`);
        const readBelow = await open(new CrashStorage('below', leftBelow), false, null);
        await using read = await open(new CrashStorage('image', left), false, readBelow);
        assert.ok((await contentOf(read)).equals(content), where);
      });
    });
  }
});

describe('a rebase that is cut off at any moment leaves the image reading the same', () => {
  for (const [name, options, hasOld, hasNew] of [
    ['from one to another', { clusterSize: 4096 }, true, true],
    ['from none', { clusterSize: 4096 }, false, true],
    ['from none, version 2', { clusterSize: 4096, version: 2 }, false, true],
    ['to none', { clusterSize: 4096 }, true, false],
    ['subclusters', { clusterSize: 16384, extendedL2: true }, true, true],
    ['version 2', { clusterSize: 4096, version: 2 }, true, true],
  ] as const) {
    it(name, async () => {
      const makeOld = () => (hasOld ? filled(SIZE / 2 + 1024, 1) : null);
      const makeNew = () => (hasNew ? filled(SIZE - 2048, 2) : null);
      const before = await image(options, await makeOld(), false);
      const storage = new CrashStorage('image', before);
      const disk = await open(storage, true, await makeOld());
      const content = await contentOf(disk);
      const backing = hasNew ? { file: 'new', format: 'raw' } : null;
      await rebaseDisk(disk, { backing, disk: await makeNew() });
      await disk.close();
      const names = new Set<string | undefined>();
      await cutOften(storage.clock, async (moment, keep, where) => {
        const left = storage.after(moment, keep);
        await assertSound(left, where);
        await using read = await openImage(new CrashStorage('image', left), {
          writable: false,
          chain: Chain.begin(),
          openBacking: async ({ backingFile }) => {
            names.add(backingFile);
            return backingFile === 'new' ? makeNew() : backingFile === 'below' ? makeOld() : null;
          },
        });
        assert.ok((await contentOf(read)).equals(content), where);
      });
      assert.ok(names.has(hasNew ? 'new' : undefined));
    });
  }
});
