import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { layOutLayer } from './layer-layout.ts';
import { type LayerOptions, layerGeometry } from './layer-options.ts';

function options(size: number, clusterSize: number): LayerOptions {
  return { size, clusterSize, source: new MemoryDisk(0), ranges: none(), compression: 'zstd' };
}

async function* none(): AsyncGenerator<never> {}

test('parts follow each other without gaps, and refcounts cover exactly the file', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 9, max: 21 }),
      fc.nat(100_000),
      fc.nat(100_000),
      fc.nat(100_000_000),
      (bits, tables, plainClusters, compressedLength) => {
        const clusterSize = 2 ** bits;
        const geometry = layerGeometry(options(512 * 1_000_000, clusterSize));
        const layout = layOutLayer(geometry, { tables, plainClusters, compressedLength });
        const l1Bytes = geometry.l1Size * 8;
        assert.equal(layout.l1Offset, clusterSize);
        assert.equal(layout.tablesOffset, clusterSize + Math.ceil(l1Bytes / clusterSize) * clusterSize);
        assert.equal(layout.refcountTableOffset, layout.tablesOffset + tables * clusterSize);
        assert.equal(
          layout.refcountBlocksOffset,
          layout.refcountTableOffset + layout.refcountTableClusters * clusterSize,
        );
        assert.equal(layout.plainOffset, layout.refcountBlocksOffset + layout.refcountBlocks * clusterSize);
        assert.equal(layout.compressedOffset, layout.plainOffset + plainClusters * clusterSize);
        assert.equal(layout.fileSize, layout.compressedOffset + Math.ceil(compressedLength / 512) * 512);
        assert.equal(layout.clusters, Math.ceil(layout.fileSize / clusterSize));
        const covered = layout.refcountBlocks * (clusterSize / 2);
        assert.ok(covered >= layout.clusters && covered - layout.clusters < clusterSize / 2);
        assert.equal(layout.refcountTableClusters, Math.ceil((layout.refcountBlocks * 8) / clusterSize));
      },
    ),
  );
});

test('sizes up to what an L1 table of 32 MiB maps are allowed, in whole sectors', () => {
  const refused = (size: number, clusterSize: number) =>
    assert.throws(
      () => layerGeometry(options(size, clusterSize)),
      (error) => CalveError.is(error, 'out-of-range'),
    );
  assert.equal(layerGeometry(options(2 ** 51, 65536)).l1Size, 2 ** 22);
  assert.equal(layerGeometry(options(2 ** 37, 512)).l1Size, 2 ** 22);
  assert.equal(layerGeometry(options(0, 65536)).l1Size, 0);
  refused(2 ** 51 + 512, 65536);
  refused(2 ** 37 + 512, 512);
  refused(2 ** 53, 2 ** 21);
  refused(1000, 65536);
  refused(-512, 65536);
  refused(512, 65537);
  refused(512, 256);
  refused(512, 2 ** 22);
});

test('a file past what its entries can name is refused', () => {
  const geometry = layerGeometry(options(2 ** 37, 512));
  assert.throws(
    () => layOutLayer(geometry, { tables: 0, plainClusters: 2 ** 28, compressedLength: 0 }),
    (error) => CalveError.is(error, 'out-of-range'),
  );
});
