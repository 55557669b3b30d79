import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { BitmapModel, dirtyRanges } from '../../../test/support/bitmap-model.ts';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { qemuImgCheck } from '../../../test/support/qemu.ts';
import { qemuDirtyRanges } from '../../../test/support/qemu-bitmaps.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { CacheBudget } from '../bounded-cache.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { geometryOf } from '../geometry.ts';
import { ImageFile } from '../image-file.ts';
import { ImageHeader } from '../image-header.ts';
import { denyBacking, openQcow2 } from '../index.ts';
import { readHeader } from '../read-header.ts';
import { Allocator } from '../writing/allocator.ts';
import { MetadataClusters } from '../writing/metadata-clusters.ts';
import { Mutex } from '../writing/mutex.ts';
import { PendingFrees } from '../writing/pending-frees.ts';
import { readRefcountTable } from '../writing/refcount-table.ts';
import { Refcounts } from '../writing/refcounts.ts';
import { BitmapPages } from './bitmap-pages.ts';
import { BitmapWriter } from './bitmap-writer.ts';
import { readBitmapList } from './read-bitmap-list.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

/** The bitmaps of an image in memory, and a disk whose size is its header's and nothing else. */
async function open(storage: CrashStorage): Promise<{
  readonly bitmaps: BitmapWriter;
  resize(size: number): Promise<void>;
  close(): Promise<void>;
}> {
  const file = new ImageFile(storage);
  const header = new ImageHeader(file, await readHeader(storage));
  const geometry = geometryOf(header.current);
  const { clusterSize } = geometry;
  const list = await readBitmapList(file, header.current);
  const table = await readRefcountTable(file, header.current);
  const refcounts = new Refcounts(file, geometry, table, new CacheBudget(2 ** 20));
  const claims = [
    ...(list.directory ? [{ kind: 'bitmap directory' as const, ...list.directory }] : []),
    ...list.bitmaps.flatMap((bitmap) =>
      bitmap.table ? [{ kind: 'bitmap table' as const, ...bitmap.table }] : [],
    ),
  ];
  const clusters = new MetadataClusters(file.path, clusterSize, claims);
  const allocator = new Allocator(file, clusterSize, refcounts, table, clusters);
  const frees = new PendingFrees(file, clusterSize, allocator, header);
  const mutex = new Mutex();
  const commit = async () => {
    await refcounts.write(() => {});
    await table.write(file);
    await file.barrier();
    await frees.apply();
  };
  const pages = new BitmapPages(file, clusterSize);
  const bitmaps = new BitmapWriter({
    file,
    header,
    geometry,
    list,
    pages,
    allocator,
    clusters,
    frees,
    mutex,
    commit,
  });
  await bitmaps.begin();
  return {
    bitmaps,
    resize: async (size) => {
      await bitmaps.resize(size);
      await header.patch({ size });
      geometry.size = size;
    },
    close: async () => {
      await bitmaps.store();
      await commit();
      await commit();
    },
  };
}

describe('bitmaps follow the size of the disk', () => {
  for (const clusterSize of [512, 4096]) {
    it(`new parts are clean, also after a shrink; clusters of ${clusterSize} bytes`, async () => {
      const random = seededRandom(clusterSize);
      const most = (clusterSize / 8) * clusterSize * 8 * 60;
      const size = () => 512 * (1 + Math.floor(random() * (Math.min(most, 30_000_000) / 512)));
      const storage = new CrashStorage('size.qcow2', encodeEmptyImage({ size: most, clusterSize }));
      const model = new BitmapModel(most, random);
      for (let opening = 0; opening < 4; opening += 1) {
        const disk = await open(storage);
        if (opening === 0) {
          for (const granularity of [512, 4096]) {
            model.add(`b${granularity}`, granularity);
            disk.bitmaps.add({ name: `b${granularity}`, granularity });
          }
        }
        for (let step = 0; step < 6; step += 1) {
          const to = random() < 0.3 ? model.size : size();
          model.resize(to);
          await disk.resize(to);
          const offset = Math.floor(random() * to);
          const length = random() < 0.3 ? to - offset : Math.floor(random() * (to - offset));
          model.mark(offset, length);
          disk.bitmaps.mark(offset, length);
          if (random() < 0.3) await disk.bitmaps.makeRoom();
        }
        await disk.close();
        const path = folder.join(`${clusterSize}.qcow2`);
        await writeFile(path, storage.content);
        await qemuImgCheck(path);
        await using read = await openQcow2(path, { backing: denyBacking });
        for (const name of model.bitmaps.keys()) {
          assert.deepEqual(await dirtyRanges(read, name), model.dirty(name));
          if (opening === 3) assert.deepEqual(await qemuDirtyRanges(path, name), model.dirty(name));
        }
      }
    });
  }

  it('and refuse sizes that they cannot have, nothing changed', async () => {
    const storage = new CrashStorage('size.qcow2', encodeEmptyImage({ size: 2 ** 20, clusterSize: 4096 }));
    const disk = await open(storage);
    disk.bitmaps.add({ name: 'b', granularity: 512 });
    await refused(disk.bitmaps.resize(0), 'out-of-range', /bitmap "b": expected a disk of 1 to/);
    await refused(disk.bitmaps.resize(3 * 1024 ** 4), 'out-of-range', /for bits of 512/);
    await disk.close();
    const path = folder.join('refused.qcow2');
    await writeFile(path, storage.content);
    await qemuImgCheck(path);
  });
});
