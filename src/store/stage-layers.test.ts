import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qemuImgCheck, qemuImgCompare } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, storeScene } from '../../test/support/store-scene.ts';
import { extentsOf, openRawDisk } from '../disk/index.ts';
import { stageLayers } from './stage-layers.ts';
import { openStaging } from './staging.ts';

const KiB = 1024;
/** What compresses and what does not, holes between, a cluster that comes again, and an end that fills none. */
const CONTENT = {
  0: noise('a', 900 * KiB),
  [2 * MiB]: Buffer.alloc(MiB, 'text of a disk, '),
  [4 * MiB]: noise('b', 700 * KiB),
  [5 * MiB]: noise('a', 64 * KiB),
  [6 * MiB - 1024]: noise('end', 1024),
};

test('a disk whose layer would be too large becomes several chained layers, none larger than allowed', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const disk = await scene.rawDisk('disk.raw', 6 * MiB, CONTENT);
  const whole = await store.versions.import(disk, { ref: 'whole' });
  for (const [compression, maxLayerSize] of [
    ['zstd', 700 * KiB + 1],
    ['none', MiB],
  ] as const) {
    const ref = `cut:${compression}`;
    const { version, summary } = await store.versions.import(disk, { ref, compression, maxLayerSize });
    assert.ok(version.layers.length > 2);
    for (const { digest, size } of version.layers) {
      assert.ok(size <= maxLayerSize, `${size} bytes, at most ${maxLayerSize} allowed`);
      await qemuImgCheck(context.layout.blob(digest));
    }
    await qemuImgCompare(disk, 'raw', await store.versions.path(ref), 'qcow2');
    assert.deepEqual(
      [summary.dataClusters, summary.zeroClusters, summary.equalClusters],
      [whole.summary.dataClusters, 0, whole.summary.equalClusters],
    );
    const again = await store.versions.import(disk, { ref: `${ref}-again`, compression, maxLayerSize });
    assert.deepEqual(again.version.layers, version.layers);
  }
  const roomy = await store.versions.import(disk, { ref: 'roomy', maxLayerSize: 64 * MiB });
  assert.deepEqual(roomy.version.layers, whole.version.layers);
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a difference is cut as well, and environments, diffs and exports take such a version as any other', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await store.versions.import(await scene.rawDisk('base.raw', 8 * MiB, CONTENT), { ref: 'base' });
  const changed = { ...CONTENT, [MiB]: noise('c', 900 * KiB), [5 * MiB]: Buffer.alloc(64 * KiB) };
  const disk = await scene.rawDisk('disk.raw', 6 * MiB, changed);
  const options = { ref: 'cut', onto: 'base', maxLayerSize: 600 * KiB };
  const { version, summary } = await store.versions.import(disk, options);
  assert.ok(version.layers.length > 2);
  assert.deepEqual([summary.dataClusters, summary.zeroClusters, summary.equalDataClusters], [15, 1, 43]);
  await qemuImgCompare(disk, 'raw', await store.versions.path('cut'), 'qcow2');
  await store.envs.create('cut', { name: 'work' });
  await qemuImgCompare(disk, 'raw', await store.envs.path('work'), 'qcow2');
  await store.versions.export('cut', scene.path('out.raw'), { format: 'raw' });
  await qemuImgCompare(disk, 'raw', scene.path('out.raw'), 'raw');
  assert.deepEqual((await store.fsck()).problems, []);
});

test('a largest size in which no cluster fits, or of which too many layers would be needed, is refused', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const path = await scene.rawDisk('disk.raw', 10 * MiB, { 0: noise('a', MiB) });
  const least = 7 * 64 * KiB;
  await refused(
    store.versions.import(path, { maxLayerSize: least - 1 }),
    'usage',
    /expected at least 458752 bytes for a disk of 10485760, got 458751/,
  );
  await using staging = await openStaging(context);
  await using disk = await openRawDisk(path);
  const rangesFrom = (offset: number) => extentsOf(disk, offset, disk.size - offset);
  const source = { disk, size: disk.size, rangesFrom, below: null, maxLayerSize: least };
  await refused(
    stageLayers(staging, source, 3),
    'usage',
    /3 of them hold no more than 196608 of 10485760 bytes of the disk/,
  );
});
