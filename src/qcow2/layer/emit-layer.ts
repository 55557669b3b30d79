import { HEADER_LENGTH_COMPRESSION_TYPE, MIN_CLUSTER_SIZE_FEATURE_NAMES } from '../constants.ts';
import { FEATURE_NAMES } from '../feature-names.ts';
import { encodeHeader } from '../header.ts';
import type { DigestWriter } from './digest-writer.ts';
import { type LayerLayout, layOutLayer, REFCOUNT_BITS } from './layer-layout.ts';
import type { LayerGeometry, LayerOptions } from './layer-options.ts';
import { l1Clusters, l2Tables, refcountBlocks, refcountTableClusters } from './layer-tables.ts';
import { readAhead } from './read-ahead.ts';
import type { StagedLayer } from './staged-layer.ts';

/**
 * Writes a layer's whole file from what was staged.
 * @throws CalveError `out-of-range` when it would be too large; what writing throws; the signal's reason
 */
export async function emitLayer(
  writer: DigestWriter,
  staged: StagedLayer,
  geometry: LayerGeometry,
  options: Pick<LayerOptions, 'backingFile' | 'compression' | 'signal'>,
): Promise<{ digest: string; fileSize: number }> {
  const layout = layOutLayer(geometry, {
    tables: staged.tables.length,
    plainClusters: staged.plainCounts.length,
    compressedLength: staged.compressed.length,
  });
  const { tables, plainCounts, compressedCounts, plain, compressed } = staged;
  const parts = { geometry, layout, tables, plainCounts, compressedCounts };

  async function put(
    offset: number,
    pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    await writer.padTo(offset);
    for await (const piece of pieces) {
      options.signal?.throwIfAborted();
      await writer.write(piece);
    }
  }

  await put(0, [layerHeader(geometry, layout, options)]);
  await put(layout.l1Offset, l1Clusters(parts));
  await put(layout.tablesOffset, l2Tables(staged.records(), parts));
  await put(layout.refcountTableOffset, refcountTableClusters(parts));
  await put(layout.refcountBlocksOffset, refcountBlocks(parts));
  await put(layout.plainOffset, readAhead(plain.drain()));
  await put(layout.compressedOffset, readAhead(compressed.drain()));
  await writer.padTo(layout.fileSize);
  return { digest: await writer.finish(), fileSize: layout.fileSize };
}

/** A layer says as little as it can of how it was made: what differs here makes another digest. */
function layerHeader(
  { size, clusterSize, clusterBits, l1Size }: LayerGeometry,
  layout: LayerLayout,
  { backingFile, compression }: Pick<LayerOptions, 'backingFile' | 'compression'>,
): Uint8Array {
  return encodeHeader({
    version: 3,
    size,
    clusterBits,
    clusterSize,
    l1Size,
    l1Offset: l1Size === 0 ? 0 : layout.l1Offset,
    refcountTableOffset: layout.refcountTableOffset,
    refcountTableClusters: layout.refcountTableClusters,
    refcountBits: REFCOUNT_BITS,
    snapshotCount: 0,
    snapshotsOffset: 0,
    cryptMethod: 'none',
    incompatible: new Set(compression === 'zstd' ? (['compression type'] as const) : []),
    compatible: new Set(),
    autoclear: new Set(),
    headerLength: HEADER_LENGTH_COMPRESSION_TYPE,
    compressionType: compression === 'zstd' ? 'zstd' : 'zlib',
    ...(backingFile === undefined ? {} : { backingFile, backingFormat: 'qcow2' }),
    extensions: [],
    featureNames: clusterSize >= MIN_CLUSTER_SIZE_FEATURE_NAMES ? FEATURE_NAMES : [],
    additionalFields: new Uint8Array(),
  });
}
