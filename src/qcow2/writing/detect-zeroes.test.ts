import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { qemuImgCheck, qemuImgCompare } from '../../../test/support/qemu.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { createQcow2, type DetectZeroes, followBacking, openQcow2 } from '../index.ts';
import { zeroRuns } from './zero-runs.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const CLUSTER = 4096;
const SIZE = 32 * CLUSTER;

/** Ones in 16 clusters, then zeros over parts of them, with a few bytes among them; as QEMU reads it, and its counts. */
async function written(detectZeroes: DetectZeroes | undefined): Promise<{ allocated: number; zero: number }> {
  const [path, base, raw] = ['qcow2', 'base', 'raw'].map((suffix) =>
    folder.join(`${detectZeroes}.${suffix}`),
  );
  assert.ok(path && base && raw);
  const content = Buffer.alloc(SIZE, 7);
  await writeFile(base, content);
  await createQcow2(path, {
    size: SIZE,
    clusterSize: CLUSTER,
    backingFile: base,
    backingFormat: 'raw',
    sync: false,
  });
  const options = detectZeroes === undefined ? {} : { detectZeroes };
  const disk = await openQcow2(path, { writable: true, backing: followBacking(), ...options });
  const write = async (bytes: Uint8Array, offset: number): Promise<void> => {
    content.set(bytes, offset);
    await disk.write(bytes, offset);
  };
  await write(Buffer.alloc(16 * CLUSTER, 1), 0);
  const mixed = Buffer.alloc(10 * CLUSTER);
  mixed[4 * CLUSTER + 5] = 9;
  // Begins and ends inside clusters.
  await write(mixed.subarray(100), 100);
  // Where nothing was allocated.
  await write(Buffer.alloc(4 * CLUSTER), 20 * CLUSTER);
  let zero = 0;
  for await (const extent of disk.ownExtents(0, SIZE))
    if (extent.kind === 'zero') zero += extent.length / CLUSTER;
  await disk.close();
  await writeFile(raw, content);
  await qemuImgCheck(path);
  await qemuImgCompare(path, 'qcow2', raw, 'raw');
  return { allocated: (await qemuCounts(path))?.allocatedClusters ?? 0, zero };
}

describe('detecting zeroes', () => {
  it('off: zeros are data', async () => {
    assert.deepEqual(await written(undefined), { allocated: 20, zero: 0 });
    assert.deepEqual(await written('off'), { allocated: 20, zero: 0 });
  });

  it('on: clusters of zeros say so and keep their storage', async () => {
    // The first cluster keeps 100 ones, another holds one byte.
    assert.deepEqual(await written('on'), { allocated: 16, zero: 12 });
  });

  it('unmap: clusters of zeros give their storage back', async () => {
    assert.deepEqual(await written('unmap'), { allocated: 8, zero: 12 });
  });

  it('splits a write at the borders of clusters, into parts as long as can be', () => {
    const bytes = Buffer.alloc(20);
    bytes[9] = 1;
    const runs = [...zeroRuns(bytes, 6, 4)].map(({ start, end, zero }) => [start, end, zero]);
    assert.deepEqual(runs, [
      [0, 6, true],
      [6, 10, false],
      [10, 20, true],
    ]);
    assert.deepEqual([...zeroRuns(new Uint8Array(), 6, 4)], []);
  });
});
