import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck, qemuImgCompare } from '../../../test/support/qemu.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type CreateOptions, createQcow2, followBacking, openQcow2 } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const KIB = 1024;
const SECTOR = 512;

/** Random writes, zeroings and new sizes by this engine, and growth by QEMU in between; judged against a flat model. */
async function play(name: string, options: CreateOptions, initial: Buffer, seed: number): Promise<void> {
  const [path, raw] = [folder.join(`${name}.qcow2`), folder.join(`${name}.raw`)];
  await createQcow2(path, { sync: false, ...options });
  const random = seededRandom(seed);
  const sectors = (most: number) => Math.floor(random() * (most / SECTOR + 1)) * SECTOR;
  const most = initial.length * 3;
  let model = Buffer.from(initial);
  const resized = (size: number) => Buffer.concat([model.subarray(0, size)], size);
  for (let opening = 0; opening < 4; opening += 1) {
    const disk = await openQcow2(path, { writable: true, backing: followBacking() });
    for (let step = 0; step < 14; step += 1) {
      const offset = sectors(model.length);
      const part = model.subarray(offset, Math.min(model.length, offset + sectors(most / 6)));
      const kind = Math.floor(random() * 4);
      if (kind === 0) {
        const size = sectors(most);
        await disk.resize(size, { shrink: true });
        model = resized(size);
      } else if (kind === 1) {
        await disk.writeZeroes(offset, part.length, { unmap: random() < 0.5 });
        part.fill(0);
      } else {
        await disk.write(part.fill(1 + Math.floor(random() * 255)), offset);
        if (random() < 0.2) await disk.flush();
      }
    }
    await disk.close();
    await assertDisk(path, raw, model);
    // QEMU has no way to hide a base from a larger overlay of version 2.
    if (options.version === 2 && options.backingFile !== undefined) continue;
    const size = model.length + sectors(most / 3);
    await succeed('qemu-img', ['resize', '-q', path, `${size}`]);
    model = resized(size);
  }
  await assertDisk(path, raw, model);
}

async function assertDisk(path: string, raw: string, model: Buffer): Promise<void> {
  await qemuImgCheck(path);
  await writeFile(raw, model);
  await qemuImgCompare(path, 'qcow2', raw, 'raw');
}

describe('a random history with new sizes reads as the model does', () => {
  for (const options of [
    { size: 200 * KIB, clusterSize: 512 },
    { size: 200 * KIB, clusterSize: 512, version: 2, lazyRefcounts: false },
    { size: 200 * KIB, clusterSize: 4096, refcountBits: 1, lazyRefcounts: true },
    { size: 200 * KIB, clusterSize: 65_536 },
    { size: 200 * KIB, clusterSize: 16_384, extendedL2: true },
  ] satisfies CreateOptions[]) {
    it(JSON.stringify(options), () =>
      play(
        `${options.clusterSize}-${Object.keys(options).length}`,
        options,
        Buffer.alloc(options.size),
        options.clusterSize,
      ),
    );
  }

  for (const options of [
    { version: 2, clusterSize: 4096 },
    { version: 3, clusterSize: 4096 },
    { version: 3, clusterSize: 16_384, extendedL2: true },
  ] as const) {
    const { version, clusterSize } = options;
    it(`trap 20: ${JSON.stringify(options)} over a base that some sizes pass and others do not`, async () => {
      const base = folder.join(`base-${version}-${clusterSize}.raw`);
      const bytes = Buffer.alloc(400 * KIB, 0xb5);
      await writeFile(base, bytes);
      const size = 250 * KIB;
      const over = { backingFile: base, backingFormat: 'raw' };
      const initial = bytes.subarray(0, size);
      await play(`over-${version}-${clusterSize}`, { size, ...options, ...over }, initial, version);
      assert.ok((await readFile(base)).equals(bytes), 'the base is as it was');
    });
  }
});
