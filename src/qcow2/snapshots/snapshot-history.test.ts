import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { DiskModel } from '../../../test/support/disk-model.ts';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck } from '../../../test/support/qemu.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { readContent } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { checkQcow2, createQcow2, followBacking, openQcow2, type Qcow2Disk } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// Longer, elsewhere: CALVE_HISTORY_SEED=7 CALVE_HISTORY_STEPS=200 node --test src/qcow2/snapshots/snapshot-history.test.ts
const { CALVE_HISTORY_SEED = '1', CALVE_HISTORY_STEPS = '9' } = process.env;
const SEED = Number(CALVE_HISTORY_SEED);
const STEPS = Number(CALVE_HISTORY_STEPS);

interface Kind {
  readonly clusterSize: number;
  readonly discards?: boolean;
  readonly tableBytes?: number;
  /** What an image of this kind holds at first. */
  readonly make: (image: string) => Promise<Buffer>;
}

/** An image, and what it and its snapshots must read. */
interface Model {
  bytes: Buffer;
  readonly snapshots: Map<string, Buffer>;
}

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

/** One change of the snapshots, or some writes; a snapshot that is read meanwhile is in nobody's way. */
async function step(disk: Qcow2Disk, model: Model, kind: Kind, random: () => number): Promise<void> {
  const below = (end: number) => Math.floor(random() * end);
  const names = [...model.snapshots.keys()];
  const name = names[below(names.length)];
  const verb = below(10);
  if (verb < 5) {
    const { clusterSize, discards = true } = kind;
    const seed = below(2 ** 31);
    await new DiskModel(disk, model.bytes, { clusterSize, discards }, seed).run(3);
  } else if (verb < 7 || name === undefined) {
    const fresh = `s${below(2 ** 31)}`;
    try {
      await disk.createSnapshot({ name: fresh });
      model.snapshots.set(fresh, Buffer.from(model.bytes));
    } catch (error) {
      // Trap 29: of refcounts of four bits alone.
      if (!CalveError.is(error, 'out-of-range')) throw error;
      assert.equal(disk.header.refcountBits, 4);
    }
  } else if (verb < 8) {
    await disk.applySnapshot(name);
    model.bytes = Buffer.from(model.snapshots.get(name) ?? []);
  } else {
    await disk.deleteSnapshot(name);
    model.snapshots.delete(name);
  }
  assert.ok((await contentOf(disk)).equals(model.bytes), 'the disk');
  const [first] = model.snapshots;
  if (first) {
    await using view = await disk.openSnapshot(first[0]);
    assert.ok((await contentOf(view)).equals(first[1]), `snapshot ${first[0]}`);
    assert.ok((await updated(disk, first)).equals(model.bytes), `the disk since snapshot ${first[0]}`);
  }
}

/** What a snapshot held, and what the disk holds in the extents in which it is said to differ. */
async function updated(disk: Qcow2Disk, [name, before]: [string, Buffer]): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  before.copy(bytes);
  for await (const { offset, length, kind } of disk.snapshotExtents(name)) {
    const part = bytes.subarray(offset, offset + length);
    if (kind === 'data') await disk.read(part, offset);
    else part.fill(0);
  }
  return bytes;
}

/** QEMU takes a turn. */
async function letQemu(image: string, model: Model, turn: number): Promise<void> {
  const [name] = model.snapshots.keys();
  const options = turn % 2 === 1 && name !== undefined ? ['-a', name] : ['-c', `q${turn}`];
  if (options[0] === '-a') model.bytes = Buffer.from(model.snapshots.get(name ?? '') ?? []);
  else model.snapshots.set(`q${turn}`, Buffer.from(model.bytes));
  await succeed('qemu-img', ['snapshot', '-q', ...options, image]);
}

async function assertAsQemuReads(image: string, model: Model): Promise<void> {
  await qemuImgCheck(image);
  const { corruptions, leaks } = await checkQcow2(image);
  assert.deepEqual({ corruptions, leaks }, { corruptions: 0, leaks: 0 });
  assert.ok((await readContent(image)).equals(model.bytes), 'the disk, as QEMU reads it');
  const last = [...model.snapshots].at(-1);
  if (last) assert.ok((await readContent(image, last[0])).equals(last[1]), `snapshot ${last[0]}`);
}

async function play(name: string, kind: Kind): Promise<void> {
  const image = folder.join(`${name}.qcow2`);
  const model: Model = { bytes: await kind.make(image), snapshots: new Map() };
  const random = seededRandom(SEED);
  for (let opening = 0; opening < 2; opening += 1) {
    const { tableBytes } = kind;
    const limits = tableBytes === undefined ? {} : { tableBytes };
    {
      await using disk = await openQcow2(image, { writable: true, backing: followBacking(), ...limits });
      for (let at = 0; at < STEPS; at += 1) await step(disk, model, kind, random);
    }
    if (opening === 1) await assertAsQemuReads(image, model);
    else await qemuImgCheck(image);
    if (name !== 'refcounts of 4 bits') await letQemu(image, model, opening);
  }
  await using disk = await openQcow2(image, { writable: true, backing: followBacking() });
  for (const snapshot of [...model.snapshots.keys()]) await disk.deleteSnapshot(snapshot);
  assert.ok((await contentOf(disk)).equals(model.bytes), 'the disk alone');
  await disk.close();
  await qemuImgCheck(image);
}

const empty = (clusterSize: number, size: number, more: object = {}): Kind => ({
  clusterSize,
  make: async (image) => {
    await createQcow2(image, { size, clusterSize, ...more });
    return Buffer.alloc(size);
  },
});

/** Content with runs of zeros and of things that compress. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) if ((at >>> 13) % 3 !== 0) bytes[at] = (at >>> 5) * 31 + (at & 3);
  return bytes;
}

const kinds: Readonly<Record<string, Kind>> = {
  'version 2': empty(4096, 41 * 4096 - 512, { version: 2 }),
  'clusters of 512 bytes, less memory than tables': { ...empty(512, 300 * 1024), tableBytes: 4096 },
  'refcounts of 4 bits': empty(1024, 41 * 1024, { refcountBits: 4 }),
  'refcounts of 64 bits, whose table grows': empty(512, 300 * 1024, { refcountBits: 64 }),
  'extended L2 entries': {
    clusterSize: 16_384,
    make: async (image) => {
      const options = 'extended_l2=on,cluster_size=16k';
      await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, image, '400k']);
      return Buffer.alloc(400 * 1024);
    },
  },
  'compressed clusters': {
    clusterSize: 4096,
    make: async (image) => {
      const bytes = content(60 * 4096);
      await writeFile(`${image}.raw`, bytes);
      const options = 'cluster_size=4k,compression_type=zstd';
      await succeed('qemu-img', ['convert', '-c', '-Oqcow2', '-o', options, `${image}.raw`, image]);
      return bytes;
    },
  },
  'a backing file that is shorter': {
    clusterSize: 4096,
    make: async (image) => {
      const bytes = Buffer.concat([content(100_000), Buffer.alloc(40 * 4096 - 100_000)]);
      await writeFile(`${image}.base`, bytes.subarray(0, 100_000));
      const backing = { backingFile: `${image}.base`, backingFormat: 'raw' };
      await createQcow2(image, { size: bytes.length, clusterSize: 4096, ...backing });
      return bytes;
    },
  },
};

describe('trap 31: a random history of writes and snapshots reads as the model does, to QEMU as well', () => {
  for (const [name, kind] of Object.entries(kinds)) it(name, () => play(name, kind));
});
