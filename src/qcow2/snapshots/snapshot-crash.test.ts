import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck } from '../../../test/support/qemu.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { Disk } from '../../disk/index.ts';
import { Chain } from '../chain.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { checkQcow2, type Qcow2Disk, repairQcow2 } from '../index.ts';
import { openImage } from '../open-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// More in a long run: CALVE_CRASH_CUTS=5000 CALVE_CRASH_SEED=7 node --test src/qcow2/snapshots/snapshot-crash.test.ts
const { CALVE_CRASH_CUTS = '14', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
const SEED = Number(CALVE_CRASH_SEED);

const SIZE = 96 * 1024;
const UNIT = 256;

/** What an image holds. */
interface State {
  readonly content: Buffer;
  readonly snapshots: ReadonlyMap<string, Buffer>;
}

/** One step of a history: after a crash in between, the image holds what it held before or what it holds after. */
interface Step {
  readonly end: number;
  readonly before: State;
  readonly after: State;
  /** Units that were written without a flush, and may hold anything. */
  readonly loose: ReadonlySet<number>;
}

interface History {
  readonly storage: CrashStorage;
  readonly steps: readonly Step[];
}

function open(storage: CrashStorage, writable = false): Promise<Qcow2Disk> {
  return openImage(storage, { writable, chain: Chain.begin(), openBacking: async () => null });
}

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

/** Snapshots made, gone to and deleted, with writes in between. */
async function play(image: Uint8Array, content: Buffer, seed: number): Promise<History> {
  const random = seededRandom(seed);
  const below = (end: number) => Math.floor(random() * end);
  const storage = new CrashStorage('crash.qcow2', image);
  const disk = await open(storage, true);
  const steps: Step[] = [];
  let state: State = { content, snapshots: new Map() };
  const step = async (next: State, loose: Set<number>, act: () => Promise<unknown>) => {
    await act();
    steps.push({ end: storage.clock, before: state, after: next, loose });
    state = next;
  };
  const scribble = async () => {
    const next = Buffer.from(state.content);
    const loose = new Set<number>();
    const writes = Array.from({ length: 3 }, () => {
      const first = below(SIZE / UNIT);
      const units = 1 + below(Math.min(80, SIZE / UNIT - first));
      return { first, units, value: below(4) === 0 ? 0 : 1 + below(255) };
    });
    for (const { first, units, value } of writes) {
      next.fill(value, first * UNIT, (first + units) * UNIT);
      for (let unit = first; unit < first + units; unit += 1) loose.add(unit);
    }
    await step({ ...state, content: next }, loose, async () => {
      for (const { first, units, value } of writes) {
        if (value === 0) await disk.writeZeroes(first * UNIT, units * UNIT);
        else await disk.write(Buffer.alloc(units * UNIT, value), first * UNIT);
      }
      await disk.flush();
    });
  };
  const create = (name: string) =>
    step({ ...state, snapshots: new Map(state.snapshots).set(name, state.content) }, new Set(), () =>
      disk.createSnapshot({ name }),
    );
  const apply = (name: string) =>
    step({ ...state, content: state.snapshots.get(name) ?? Buffer.alloc(0) }, new Set(), () =>
      disk.applySnapshot(name),
    );
  const remove = (name: string) => {
    const snapshots = new Map(state.snapshots);
    snapshots.delete(name);
    return step({ ...state, snapshots }, new Set(), () => disk.deleteSnapshot(name));
  };
  await scribble();
  await create('a');
  await scribble();
  await create('b');
  await apply('a');
  await scribble();
  await create('c');
  await remove('a');
  await scribble();
  await apply('b');
  await remove('b');
  await remove('c');
  await scribble();
  await create('d');
  await step(state, new Set(), () => disk.close());
  return { storage, steps };
}

/** Whether an image reads as a state. */
async function reads(disk: Qcow2Disk, state: State, loose: ReadonlySet<number>): Promise<boolean> {
  const names = (await disk.snapshots()).map(({ name }) => name);
  if (names.join() !== [...state.snapshots.keys()].join()) return false;
  for (const [name, content] of state.snapshots) {
    await using view = await disk.openSnapshot(name);
    if (!(await contentOf(view)).equals(content)) return false;
  }
  const content = await contentOf(disk);
  for (let unit = 0; unit < SIZE / UNIT; unit += 1) {
    const [from, to] = [unit * UNIT, (unit + 1) * UNIT];
    if (loose.has(unit)) continue;
    if (!content.subarray(from, to).equals(state.content.subarray(from, to))) return false;
  }
  return true;
}

/** The structures: leaks, and COPIED flags that contradict refcounts while the image says so, or has no way to. */
async function assertBookkeeping(file: string, askQemu: boolean, where: string): Promise<void> {
  const report = await checkQcow2(file);
  const bad = report.findings.filter(({ severity }) => severity === 'corruption');
  if (askQemu) {
    const counts = await qemuCounts(file);
    assert.equal(counts?.corruptions, report.corruptions, `${where}: QEMU's count`);
    assert.equal(counts?.checkErrors, 0, where);
  }
  assert.ok(
    bad.every(({ kind }) => kind === 'copied-wrong'),
    `${where}: ${JSON.stringify(bad)}`,
  );
  const storage = new CrashStorage(file, await readFile(file));
  await using disk = await open(storage);
  const { version, incompatible } = disk.header;
  assert.ok(bad.length === 0 || version === 2 || incompatible.has('dirty'), `${where}: no dirty bit`);
}

/** Without any repair, as QEMU would open version 2: writes to everything, and the snapshots do not notice. */
async function assertHarmless(content: Buffer, state: State, where: string): Promise<void> {
  const storage = new CrashStorage('harmless', content);
  const written = Buffer.alloc(SIZE, 0xee);
  {
    await using disk = await open(storage, true);
    await disk.write(written, 0);
  }
  await using disk = await open(storage);
  assert.ok(await reads(disk, { ...state, content: written }, new Set()), `${where}: written to`);
}

async function assertSound({ storage, steps }: History, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const file = folder.join('cut.qcow2');
  for (let cut = 0; cut < CUTS; cut += 1) {
    const moment = Math.floor(random() * (storage.clock + 1));
    const survive = [0, 1, 0.5, 0.9, 0.1][cut % 5] ?? 0;
    const content = storage.after(moment, () => random() < survive);
    const where = `seed ${SEED}, cut at ${moment}, ${survive} kept`;
    await writeFile(file, content);
    const askQemu = cut % 7 === 0;
    await assertBookkeeping(file, askQemu, where);
    const step = steps.find(({ end }) => moment < end) ?? steps.at(-1);
    assert.ok(step);
    await using disk = await open(new CrashStorage(file, content));
    let state = step.before;
    if (!(await reads(disk, state, step.loose))) {
      state = step.after;
      assert.ok(await reads(disk, state, step.loose), `${where}: neither before nor after`);
    }
    if (disk.header.version === 2) await assertHarmless(content, state, where);
    if (!askQemu) continue;
    await repairQcow2(file, { repair: 'all' });
    await qemuImgCheck(file);
    const mended = new CrashStorage(file, await readFile(file));
    await using repaired = await open(mended, true);
    assert.ok(await reads(repaired, state, step.loose), `${where}: after a repair`);
  }
}

const starts: [string, () => Promise<{ image: Uint8Array; content: Buffer }>][] = [
  ...([2, 3] as const).map((version): (typeof starts)[number] => [
    `version ${version}, clusters of 1024 bytes`,
    async () => ({
      image: encodeEmptyImage({ size: SIZE, clusterSize: 1024, version }),
      content: Buffer.alloc(SIZE),
    }),
  ]),
  [
    'clusters of 512 bytes, refcounts of 64 bits',
    async () => ({
      image: encodeEmptyImage({ size: SIZE, clusterSize: 512, refcountBits: 64 }),
      content: Buffer.alloc(SIZE),
    }),
  ],
  [
    'compressed clusters, which share host clusters',
    async () => {
      const [raw, image] = [folder.join('start.raw'), folder.join('start.qcow2')];
      await writeFile(raw, Buffer.alloc(SIZE, 0x5a));
      await succeed('qemu-img', ['convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4k', raw, image]);
      return { image: await readFile(image), content: Buffer.alloc(SIZE, 0x5a) };
    },
  ],
];

describe('traps 31 and 34: a crash at any moment leaves the disk and its snapshots as before or after', () => {
  for (const [name, start] of starts) {
    it(name, async () => {
      const { image, content } = await start();
      await assertSound(await play(image, content, SEED), SEED + 1);
    });
  }
});
