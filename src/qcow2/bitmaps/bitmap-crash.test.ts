import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { BitmapModel, dirtyRanges } from '../../../test/support/bitmap-model.ts';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { Chain } from '../chain.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { checkQcow2, denyBacking, openQcow2, type Qcow2Disk } from '../index.ts';
import { openImage } from '../open-image.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

// More in a long run: CALVE_CRASH_CUTS=5000 CALVE_CRASH_SEED=7 node --test src/qcow2/bitmaps/bitmap-crash.test.ts
const { CALVE_CRASH_CUTS = '40', CALVE_CRASH_SEED = '42' } = process.env;
const CUTS = Number(CALVE_CRASH_CUTS);
const SEED = Number(CALVE_CRASH_SEED);
const SIZE = 96 * 1024;

/** The bitmaps, as text that can be compared, and the disk's content. */
interface State {
  readonly bitmaps: ReadonlyMap<string, string>;
  readonly content: Buffer;
}

/** From one opening to its close. */
interface Session {
  readonly begin: number;
  readonly from: State;
  readonly to: State;
}

async function stateOf(disk: Qcow2Disk, model?: BitmapModel): Promise<State> {
  const bitmaps = new Map<string, string>();
  for (const { name, enabled, inconsistent } of disk.bitmaps()) {
    if (inconsistent) continue;
    const dirty = await dirtyRanges(disk, name);
    if (model) assert.deepEqual(dirty, model.dirty(name));
    bitmaps.set(name, JSON.stringify({ enabled, dirty }));
  }
  const content = Buffer.alloc(SIZE);
  await disk.read(content, 0);
  return { bitmaps, content };
}

/** Histories over some openings of an image in memory. */
async function play(
  image: Uint8Array,
  seed: number,
): Promise<{ storage: CrashStorage; sessions: Session[] }> {
  const storage = new CrashStorage('crash.qcow2', image);
  const model = new BitmapModel(SIZE, seededRandom(seed));
  const sessions: Session[] = [];
  for (let opening = 0; opening < 4; opening += 1) {
    const begin = storage.clock;
    const options = { writable: true, chain: Chain.begin(), openBacking: async () => null };
    const disk = await openImage(storage, options);
    const from = await stateOf(disk, model);
    if (opening === 0) {
      for (const each of ['one', 'two', 'three']) {
        // Entries of a directory that lie across sectors.
        const name = each.padEnd(600, '-');
        model.add(name, 512);
        await disk.addBitmap({ name, granularity: 512 });
      }
    }
    await model.run(disk, 12);
    if (opening === 2) await disk.flush();
    const to = await stateOf(disk, model);
    await disk.close();
    sessions.push({ begin, from, to });
  }
  return { storage, sessions };
}

async function assertSound(storage: CrashStorage, sessions: readonly Session[], seed: number): Promise<void> {
  const random = seededRandom(seed);
  const path = folder.join('cut.qcow2');
  const seen = { outdated: 0, before: 0, now: 0 };
  for (let cut = 0; cut < CUTS; cut += 1) {
    const moment = cut === 0 ? storage.clock : Math.floor(random() * (storage.clock + 1));
    const likely = [0, 0.5, 1][cut % 3] ?? 0;
    await writeFile(
      path,
      storage.after(moment, () => random() < likely),
    );
    const checked = await checkQcow2(path);
    assert.deepEqual([checked.corruptions, checked.checkErrors], [0, 0], `cut at ${moment}`);
    const session = sessions.findLast(({ begin }) => begin <= moment);
    assert.ok(session);
    await using disk = await openQcow2(path, { backing: denyBacking });
    const { bitmaps, content } = await stateOf(disk);
    seen.outdated += disk.bitmaps().length - bitmaps.size;
    for (const [name, found] of bitmaps) {
      if (found === session.to.bitmaps.get(name)) {
        seen.now += 1;
        continue;
      }
      assert.equal(found, session.from.bitmaps.get(name), `${name}, cut at ${moment}`);
      assert.ok(content.equals(session.from.content), `${name} lacks a change, cut at ${moment}`);
      seen.before += 1;
    }
    if (cut % 20 > 0) continue;
    const judged = await run('qemu-img', ['check', '-f', 'qcow2', path]);
    assert.ok(judged.code === 0 || judged.code === 3, report(judged));
  }
  assert.ok(seen.outdated > 0 && seen.before + seen.now > 0, JSON.stringify(seen));
}

describe('traps 32 and 34: a crash leaves a bitmap as it was, in use, or as it is; never one that lacks a change', () => {
  for (const clusterSize of [512, 4096]) {
    it(`clusters of ${clusterSize} bytes`, async () => {
      const { storage, sessions } = await play(encodeEmptyImage({ size: SIZE, clusterSize }), SEED);
      await assertSound(storage, sessions, SEED + 1);
    });
  }

  it('bitmaps that QEMU made', async () => {
    const path = folder.join('qemu.qcow2');
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=1k', path, `${SIZE}`]);
    await succeed('qemu-img', ['bitmap', '--add', '--enable', path, 'b']);
    await succeed('qemu-img', ['bitmap', '--remove', path, 'b']);
    const { storage, sessions } = await play(await readFile(path), SEED + 2);
    await assertSound(storage, sessions, SEED + 3);
  });
});
