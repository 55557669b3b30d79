import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { allData, assertLayer, diskOf, writeNamedLayer } from '../../../test/support/layer-scene.ts';
import { succeed } from '../../../test/support/programs.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Disk, type Extent, extentsOf } from '../../disk/index.ts';
import { followBacking, openQcow2 } from '../index.ts';

const CLUSTER = 4096;
const small = { clusterSize: CLUSTER } as const;

test('what is equal to the parent is left out, zeros over its data are kept, zeros over zeros are not', async () => {
  await using folder = await temporaryFolder();
  const base = Buffer.concat([randomBytes(4 * CLUSTER), Buffer.alloc(4 * CLUSTER)]);
  const parent = await diskOf(base);
  const child = Buffer.from(base);
  child.fill(0, CLUSTER, 2 * CLUSTER);
  child.fill(7, 2 * CLUSTER, 2 * CLUSTER + 1);
  child.fill(9, 6 * CLUSTER, 6 * CLUSTER + 1);
  const { hex } = await writeNamedLayer(folder.path, parent, small);
  const ranges = allData(child.length);
  const layer = await writeNamedLayer(folder.path, await diskOf(child), {
    ...small,
    parent,
    backingFile: hex,
    ranges,
  });
  await assertLayer(layer, child);
  const { dataClusters, zeroClusters, equalClusters } = layer.summary;
  assert.deepEqual(
    { dataClusters, zeroClusters, equalClusters },
    { dataClusters: 2, zeroClusters: 1, equalClusters: 5 },
  );
  const map: { start: number; depth: number; zero: boolean }[] = JSON.parse(
    await succeed('qemu-img', ['map', '--output=json', layer.path]),
  );
  assert.ok(map.some(({ start, depth, zero }) => start === CLUSTER && depth === 0 && zero));
});

test('a child that is longer or shorter than its parent reads zeros where the parent ends', async () => {
  await using folder = await temporaryFolder();
  const base = randomBytes(10 * CLUSTER + 512);
  const parent = await diskOf(base);
  const { hex } = await writeNamedLayer(folder.path, parent, small);
  for (const size of [3 * CLUSTER, 3 * CLUSTER + 1024, 10 * CLUSTER, 11 * CLUSTER, 20 * CLUSTER + 512]) {
    const child = Buffer.alloc(size);
    base.copy(child);
    child.fill(1, size - 512);
    const ranges = allData(child.length);
    const layer = await writeNamedLayer(folder.path, await diskOf(child), {
      ...small,
      parent,
      backingFile: hex,
      ranges,
    });
    await assertLayer(layer, child);
    assert.equal(layer.summary.dataClusters, 1);
  }
});

test('what extents call zero is not read, neither of the source nor of the parent', async () => {
  await using folder = await temporaryFolder();
  const base = await diskOf(Buffer.alloc(256 * CLUSTER));
  await base.write(randomBytes(CLUSTER), 0);
  const asked: string[] = [];
  const source = watched(await diskOf(Buffer.alloc(256 * CLUSTER)), 'source', asked);
  const parent = watched(base, 'parent', asked);
  const { hex } = await writeNamedLayer(folder.path, base, small);
  const layer = await writeNamedLayer(folder.path, source, { ...small, parent, backingFile: hex });
  assert.deepEqual(asked, ['parent 0 65536'], 'a page of the parent is data');
  assert.equal(layer.summary.zeroClusters, 1);
  assert.equal(layer.summary.equalClusters, 255);
  await assertLayer(layer, Buffer.alloc(256 * CLUSTER));
});

test('a chain of random layers reads as its last disk, in whatever pieces the changes are told', async () => {
  const content = fc.record({
    size: fc.integer({ min: 1, max: 60 }).map((sectors) => sectors * 512),
    fills: fc.array(
      fc.tuple(fc.nat(60 * 512), fc.integer({ min: 1, max: 6000 }), fc.constantFrom(0, 0, 1, 2, 'noise')),
      {
        maxLength: 8,
      },
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(content, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('zstd', 'deflate', 'none'),
      fc.constantFrom(512, 1024, 4096),
      async (versions, compression, clusterSize) => {
        await using folder = await temporaryFolder();
        let below: { parent: Disk; backingFile: string } | undefined;
        let bytes = Buffer.alloc(0);
        for (const { size, fills } of versions) {
          const previous = bytes;
          bytes = Buffer.alloc(size);
          previous.copy(bytes);
          for (const [at, length, fill] of fills) {
            bytes.fill(
              fill === 'noise' ? randomBytes(512) : fill,
              Math.min(at, size),
              Math.min(at + length, size),
            );
          }
          const ranges = changedRanges(previous, bytes);
          const source = await diskOf(bytes);
          const options = { compression, clusterSize, ranges, ...below } as const;
          const layer = await writeNamedLayer(folder.path, source, options);
          await assertLayer(layer, bytes);
          const parent = await openQcow2(layer.path, { backing: followBacking() });
          await below?.parent.close();
          below = { parent, backingFile: layer.hex };
        }
        await below?.parent.close();
      },
    ),
    { numRuns: 12 },
  );
});

/** The sectors that differ, a shorter disk being extended by zeros; the cluster around each is told by none. */
async function* changedRanges(before: Buffer, after: Buffer): AsyncGenerator<Extent> {
  const extended = Buffer.alloc(Math.max(before.length, after.length));
  before.copy(extended);
  for (let offset = 0; offset < after.length; offset += 512) {
    const sector = after.subarray(offset, offset + 512);
    if (sector.equals(extended.subarray(offset, offset + 512))) continue;
    yield { offset, length: 512, kind: sector.every((byte) => byte === 0) ? 'zero' : 'data', depth: 0 };
  }
}

function watched(disk: Disk, name: string, asked: string[]): Disk {
  return {
    size: disk.size,
    read(into, offset) {
      asked.push(`${name} ${offset} ${into.length}`);
      return disk.read(into, offset);
    },
    extents: (offset, length) => extentsOf(disk, offset, length),
    close: () => disk.close(),
    [Symbol.asyncDispose]: () => disk.close(),
  };
}
