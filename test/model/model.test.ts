import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after as afterAll, describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryDisk } from '../../src/disk/index.ts';
import { qemuImgCheck, qemuImgCompare } from '../support/qemu.ts';
import { readContent } from '../support/sound-images.ts';
import { LONG, rounds, SEED } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { assertSound } from './assert-sound.ts';
import { CalveImage } from './calve-image.ts';
import { type Idea, ideas, stepOf } from './idea.ts';
import { KeptFile } from './kept-file.ts';
import { after, bytesOf, type ModelDisk } from './model-disk.ts';
import { playWithQemu } from './qemu-twin.ts';
import { BASE_NAME, BASE_VALUE, contentOf, imageOf, SCENES, type Scene, traitsOf } from './scene.ts';
import { describeStep, type Step } from './step.ts';

const folder = await temporaryFolder('calve-model');
afterAll(() => folder[Symbol.asyncDispose]());

const ROUNDS = rounds(300, 10_000);
/** One sequence in so many is played by QEMU, too. */
const QEMU_EVERY = LONG ? 20 : 10;
/** Replays what fast-check found: the path that it printed. */
const { CALVE_PATH } = process.env;
/** Set, a sequence that fails is made as short as can be, which takes minutes where QEMU plays along. */
const { CALVE_SHRINK: SHRINK } = process.env;

interface Played {
  readonly steps: readonly Step[];
  readonly model: ModelDisk;
  readonly image: Buffer;
}

/** Takes the steps on an image and on the model, which must read alike after each, and be sound after the last. */
async function play(scene: Scene, sequence: readonly Idea[]): Promise<Played> {
  const disk = new MemoryDisk(0);
  const file = new KeptFile(disk, scene.name);
  await file.write(imageOf(scene), 0);
  const image = await CalveImage.open(file, scene);
  const traits = traitsOf(scene);
  const steps: Step[] = [];
  let model = contentOf(scene);
  try {
    for (const idea of sequence) {
      const step = stepOf(idea, model, scene);
      if (!step) continue;
      steps.push(step);
      if (!(await image.take(step))) {
        steps.pop();
        continue;
      }
      model = after(model, step, traits);
      assert.equal(image.size, bytesOf(model.units).length);
      const from = idea.at % Math.max(1, model.units.length);
      await image.assertReads(model.units, from, Math.min(model.units.length, from + 64));
    }
    await image.assertReads(model.units, 0, model.units.length);
    await image.assertSnapshots(model.snapshots);
    await image.close();
    await assertSound(file);
  } catch (cause) {
    throw new Error(`${scene.name}:\n${steps.map(describeStep).join('\n')}\n${cause}`, { cause });
  }
  return { steps, model, image: await file.content() };
}

/** QEMU cannot grow an image of version 2 over its base, as it has no zero flag to hide that with. */
function canQemuTake({ version, backing }: Scene, steps: readonly Step[]): boolean {
  return version > 2 || backing === undefined || !steps.some(({ kind }) => kind === 'resize');
}

let bases = 0;
let names = 0;

/** Compares what the steps left, here and with QEMU, and asks QEMU to check what calve wrote. */
async function compareWithQemu(scene: Scene, { steps, model, image }: Played): Promise<void> {
  names += 1;
  const [ours, twin, raw] = ['ours', 'twin', 'raw'].map((kind) => folder.join(`${names}.${kind}`));
  assert.ok(ours !== undefined && twin !== undefined && raw !== undefined);
  if (scene.backing !== undefined && bases !== scene.backing) {
    await writeFile(folder.join(BASE_NAME), Buffer.alloc(scene.backing, BASE_VALUE));
    bases = scene.backing;
  }
  await writeFile(ours, image);
  await writeFile(raw, bytesOf(model.units));
  await qemuImgCheck(ours);
  await qemuImgCompare(ours, 'qcow2', raw, 'raw');
  const played = canQemuTake(scene, steps) && (await playWithQemu(folder.path, twin, scene, steps));
  if (played) await qemuImgCompare(twin, 'qcow2', raw, 'raw');
  for (const [name, units] of model.snapshots) {
    // QEMU reads as much of a snapshot as the disk is long now.
    const expected = bytesOf(units).subarray(0, bytesOf(model.units).length);
    const part = async (path: string) => (await readContent(path, name)).subarray(0, expected.length);
    assert.ok((await part(ours)).equals(expected), `snapshot ${name}`);
    assert.ok(!played || (await part(twin)).equals(expected), `snapshot ${name} of QEMU's`);
  }
}

describe('random sequences of everything that is done to a disk read as the model does, and as QEMU does', () => {
  const each = Math.ceil(ROUNDS / SCENES.length);
  for (const [index, scene] of SCENES.entries()) {
    it(`${scene.name}: ${each} sequences`, async (test) => {
      let taken = 0;
      let compared = 0;
      let round = 0;
      const property = fc.asyncProperty(ideas(60), async (sequence) => {
        const played = await play(scene, sequence);
        taken += played.steps.length;
        round += 1;
        if (round % QEMU_EVERY !== 1) return;
        compared += 1;
        await compareWithQemu(scene, played);
      });
      const path = CALVE_PATH === undefined ? {} : { path: CALVE_PATH };
      const endOnFailure = SHRINK === undefined;
      const details = await fc.check(property, { seed: SEED + index, numRuns: each, endOnFailure, ...path });
      if (details.failed) {
        const again = `CALVE_SEED=${SEED} CALVE_PATH=${details.counterexamplePath}`;
        const pattern = `--test-name-pattern='^${scene.name}: '`;
        const command = `${again} node --test ${pattern} test/model/model.test.ts`;
        const cause = details.errorInstance;
        assert.fail(
          `${cause}\n${await fc.asyncDefaultReportMessage(details)}\n\nTo see it again:\n${command}`,
        );
      }
      test.diagnostic(`${taken} steps, ${compared} sequences compared with QEMU's, seed ${SEED}`);
    });
  }
});
