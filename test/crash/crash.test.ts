import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { type CrashOptions, type CrashState, crashStates, MemoryDisk, replay } from '../../src/disk/index.ts';
import { repairImage } from '../../src/qcow2/check/repair-image.ts';
import { ImageFile } from '../../src/qcow2/image-file.ts';
import { type Qcow2Disk, readHeader } from '../../src/qcow2/index.ts';
import { assertSound, inspect } from '../model/assert-sound.ts';
import { openDisk } from '../model/calve-image.ts';
import { ideas } from '../model/idea.ts';
import { KeptFile } from '../model/kept-file.ts';
import { bytesOf, type ModelDisk } from '../model/model-disk.ts';
import { BASE_NAME, SCENES, type Scene } from '../model/scene.ts';
import { describeStep, UNIT } from '../model/step.ts';
import { report, run } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { LONG, rounds, SEED } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { RecordedHistory } from './recorded-history.ts';

const folder = await temporaryFolder('calve-crash');
after(() => folder[Symbol.asyncDispose]());

/** Images cut off, of each kind of image. */
const CUTS = Math.ceil(rounds(2000, 50_000) / SCENES.length);
/** One in so many is checked by QEMU, too. */
const QEMU_EVERY = LONG ? 25 : 20;
const STATES_OF_A_CUT = 4;

/** The image that a crash left. */
async function leftBy(history: RecordedHistory, state: CrashState): Promise<KeptFile> {
  const disk = new MemoryDisk(history.image.length);
  await disk.write(history.image, 0);
  await replay(history.recording.log, state.cut, state.lost, disk);
  return new KeptFile(disk, 'cut.qcow2');
}

/**
 * Leaks at worst; while snapshots are changed COPIED flags that contradict the refcounts as well, under the dirty bit,
 * which version 2 does not have. Returns whether there were any.
 */
async function assertStructure(left: KeptFile, scene: Scene): Promise<boolean> {
  const { findings } = await inspect(left);
  const worst = findings.filter(({ severity }) => severity === 'corruption' || severity === 'error');
  const others = worst.filter(({ kind }) => kind !== 'copied-wrong');
  assert.equal(others.length, 0, JSON.stringify(others[0]));
  const isMarked = scene.version === 2 || (await readHeader(left)).incompatible.has('dirty');
  assert.ok(worst.length === 0 || isMarked, JSON.stringify(worst[0]));
  return worst.length > 0;
}

/** A repair leaves nothing to be found. */
async function assertRepaired(left: KeptFile): Promise<void> {
  await repairImage(new ImageFile(left), { repair: 'all' });
  await assertSound(left);
}

/** Every unit as some step left it that had begun and that no later flush vouched for. */
async function assertContent(
  left: KeptFile,
  scene: Scene,
  history: RecordedHistory,
  cut: number,
): Promise<void> {
  const possible = history.possible(cut);
  await using disk = await openDisk(left, scene, false);
  const units = disk.size / UNIT;
  const sizes = new Set(possible.map((each) => each.units.length));
  assert.ok(sizes.has(units), `a disk of ${disk.size} bytes`);
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  for (let unit = 0; unit < units; unit += 1) {
    const value = bytes[unit * UNIT] ?? 0;
    const whole = bytes.subarray(unit * UNIT, (unit + 1) * UNIT).every((byte) => byte === value);
    const allowed = new Set(possible.map((each) => each.units[unit]));
    const may = [...allowed].join(' or ');
    assert.ok(whole && allowed.has(value), `byte ${unit * UNIT} is ${value} and may be ${may}`);
  }
  await assertSnapshots(disk, possible);
}

/** A snapshot that every state has is there; one that is there holds what it was made of. */
async function assertSnapshots(disk: Qcow2Disk, possible: readonly ModelDisk[]): Promise<void> {
  const found = new Set((await disk.snapshots()).map(({ name }) => name));
  const names = new Set(possible.flatMap(({ snapshots }) => [...snapshots.keys()]));
  for (const name of names) {
    const contents = possible.map(({ snapshots }) => snapshots.get(name));
    assert.ok(found.has(name) || contents.includes(undefined), `snapshot ${name} is gone`);
    if (!found.has(name)) continue;
    await using snapshot = await disk.openSnapshot(name);
    const bytes = Buffer.alloc(snapshot.size);
    await snapshot.read(bytes, 0);
    const isOne = contents.some((units) => units !== undefined && bytesOf(units).equals(bytes));
    assert.ok(isOne, `snapshot ${name} holds something else`);
  }
  for (const name of found) assert.ok(names.has(name), `a snapshot called ${name}`);
}

async function assertQemuAgrees(left: KeptFile): Promise<void> {
  const path = folder.join('cut.qcow2');
  // A check opens the backing file, and looks at nothing in it.
  await writeFile(folder.join(BASE_NAME), '');
  await writeFile(path, await left.content());
  const ran = await run('qemu-img', ['check', '-f', 'qcow2', path]);
  // 3: clusters leaked, and nothing worse.
  assert.ok(ran.code === 0 || ran.code === 3, report(ran));
}

/** Moments to cut a history at: all in a long run, else some. */
function cutsOf({ recording: { log } }: RecordedHistory, random: () => number): Partial<CrashOptions> {
  if (LONG) return {};
  const cuts = Array.from({ length: 10 }, () => 1 + Math.floor(random() * log.moment));
  return { cuts: [...new Set(cuts)].sort((a, b) => a - b) };
}

describe('trap 34: a crash at any moment costs leaks at worst, and nothing that was flushed', () => {
  for (const [index, scene] of SCENES.entries()) {
    it(`${scene.name}: ${CUTS} cuts`, async (test) => {
      const random = seededRandom(SEED + index);
      let done = 0;
      let byQemu = 0;
      for (let round = 0; done < CUTS; round += 1) {
        const [sequence = []] = fc.sample(ideas(25), { numRuns: 1, seed: SEED + index * 100_000 + round });
        const history = await RecordedHistory.play(scene, sequence);
        const options = { random, samples: STATES_OF_A_CUT, ...cutsOf(history, random) };
        for (const state of crashStates(history.recording.log, options)) {
          if (done === CUTS) break;
          done += 1;
          try {
            const left = await leftBy(history, state);
            const contradicts = await assertStructure(left, scene);
            await assertContent(left, scene, history, state.cut);
            if (contradicts) {
              await assertRepaired(left);
              await assertContent(left, scene, history, state.cut);
            }
            if (done % QEMU_EVERY !== 0) continue;
            byQemu += 1;
            await assertQemuAgrees(left);
          } catch (cause) {
            const steps = history.taken.map(({ step, begun }) => `${begun}: ${describeStep(step)}`);
            const pattern = `--test-name-pattern='^${scene.name}: '`;
            const length = LONG ? 'CALVE_LONG=1 ' : '';
            const again = `${length}CALVE_SEED=${SEED} node --test ${pattern} test/crash/crash.test.ts`;
            const what = `${cause}\n${state}\nof history ${round}:\n${steps.join('\n')}`;
            throw new Error(`${what}\n\nTo see it again:\n${again}`, { cause });
          }
        }
      }
      test.diagnostic(`${done} cuts, ${byQemu} of them checked by QEMU, seed ${SEED}`);
    });
  }
});
