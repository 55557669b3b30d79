import assert from 'node:assert/strict';
import type { Disk } from '../../src/disk/index.ts';
import { CalveError } from '../../src/errors/index.ts';
import { Chain } from '../../src/qcow2/chain.ts';
import type { Qcow2Disk } from '../../src/qcow2/index.ts';
import { openImage } from '../../src/qcow2/open-image.ts';
import type { KeptFile } from './kept-file.ts';
import { bytesOf, type ModelDisk } from './model-disk.ts';
import { baseOf, type Scene } from './scene.ts';
import { type RangeStep, type Step, UNIT } from './step.ts';

/** An image in memory, open in calve for writing, and the way to take steps on it. */
export class CalveImage {
  readonly #file: KeptFile;
  readonly #scene: Scene;
  #disk: Qcow2Disk;

  private constructor(file: KeptFile, scene: Scene, disk: Qcow2Disk) {
    this.#file = file;
    this.#scene = scene;
    this.#disk = disk;
  }

  static async open(file: KeptFile, scene: Scene): Promise<CalveImage> {
    return new CalveImage(file, scene, await openDisk(file, scene, true));
  }

  get size(): number {
    return this.#disk.size;
  }

  /** False when the step was refused, as it may be: refcounts of few bits have no room for one more holder (trap 29). */
  async take(step: Step): Promise<boolean> {
    try {
      await this.#take(step);
      return true;
    } catch (error) {
      const adds = step.kind === 'create' || step.kind === 'apply';
      const narrow = adds && this.#scene.refcountBits < 16;
      if (narrow && CalveError.is(error, 'out-of-range')) return false;
      throw error;
    }
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'flush':
        return this.#disk.flush();
      case 'reopen':
        await this.#disk.close();
        this.#disk = await openDisk(this.#file, this.#scene, true);
        return;
      case 'together': {
        const changes = step.steps.map((each) => this.#change(each));
        await Promise.all(step.flush ? [...changes, this.#disk.flush()] : changes);
        return;
      }
      case 'compress': {
        const bytes = Buffer.alloc((step.to - step.from) * UNIT, step.value);
        return this.#disk.writeCompressed(bytes, step.from * UNIT);
      }
      case 'create':
        await this.#disk.createSnapshot({ name: step.snapshot });
        return;
      case 'apply':
        return this.#disk.applySnapshot(step.snapshot);
      case 'delete':
        return this.#disk.deleteSnapshot(step.snapshot);
      case 'resize':
        return this.#disk.resize(step.units * UNIT, { shrink: true });
      default:
        return this.#change(step);
    }
  }

  /** Asserts that the snapshots are these, and what each holds. */
  async assertSnapshots(expected: ModelDisk['snapshots']): Promise<void> {
    const names = (await this.#disk.snapshots()).map(({ name }) => name);
    assert.deepEqual(names.sort(), [...expected.keys()].sort());
    for (const [name, units] of expected) {
      await using snapshot = await this.#disk.openSnapshot(name);
      assert.equal(snapshot.size, units.length * UNIT);
      await assertReads(snapshot, units, 0, units.length);
    }
  }

  /** Asserts that a range reads these values. */
  async assertReads(units: Uint8Array, from: number, to: number): Promise<void> {
    await assertReads(this.#disk, units, from, to);
  }

  async close(): Promise<void> {
    await this.#disk.close();
  }

  #change(step: RangeStep): Promise<void> {
    const [offset, length] = [step.from * UNIT, (step.to - step.from) * UNIT];
    switch (step.kind) {
      case 'write':
        return this.#disk.write(Buffer.alloc(length, step.value), offset);
      case 'zero':
        return this.#disk.writeZeroes(offset, length, { unmap: step.unmap });
      default:
        return this.#disk.discard(offset, length);
    }
  }
}

/** Opens the image in a file, over its base. */
export function openDisk(file: KeptFile, scene: Scene, writable: boolean): Promise<Qcow2Disk> {
  const limits = scene.tableBytes === undefined ? {} : { tableBytes: scene.tableBytes };
  return openImage(file, { writable, chain: Chain.begin(limits), openBacking: () => baseOf(scene) });
}

async function assertReads(disk: Disk, units: Uint8Array, from: number, to: number): Promise<void> {
  const read = Buffer.alloc((to - from) * UNIT, 0xa5);
  await disk.read(read, from * UNIT);
  const expected = bytesOf(units.subarray(from, to));
  if (read.equals(expected)) return;
  const at = read.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`byte ${from * UNIT + at}: expected ${expected[at]}, got ${read[at]}`);
}
