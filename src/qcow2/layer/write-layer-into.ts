import type { HostFile } from '../../host/index.ts';
import { BatchBuffers } from '../compression/batch-buffers.ts';
import type { Codec } from '../compression/compress-cluster.ts';
import { openCompressorPool } from '../compression/compressor-pool.ts';
import { clusterRuns } from './cluster-runs.ts';
import { ContentIndex } from './content-index.ts';
import { DigestWriter } from './digest-writer.ts';
import { emitLayer } from './emit-layer.ts';
import { findChanges, type LayerBatch } from './find-changes.ts';
import { LayerLimit } from './layer-limit.ts';
import type { LayerGeometry, LayerOptions, LayerPart } from './layer-options.ts';
import { readAhead } from './read-ahead.ts';
import { readClusters } from './read-clusters.ts';
import { RunTally } from './run-tally.ts';
import { runsToRead } from './runs-to-read.ts';
import { stageBatches } from './stage-batches.ts';
import { StagedLayer } from './staged-layer.ts';

/** Writes a layer into a file that is empty, as `writeLayerPart` says. */
export async function writeLayerInto(
  file: HostFile,
  geometry: LayerGeometry,
  codec: Codec | undefined,
  options: LayerOptions,
): Promise<LayerPart> {
  const { clusterSize, size } = geometry;
  const { source, parent, ranges, maxFileSize, signal, onProgress, threads } = options;
  const index = new ContentIndex();
  const buffers = new BatchBuffers(clusterSize, codec !== undefined);
  await using staged = new StagedLayer(file.path, geometry, index.limit);
  await using pool =
    codec && (await openCompressorPool({ ...codec, signal, ...(threads ? { threads } : {}) }));

  const limit = maxFileSize === undefined ? undefined : new LayerLimit(geometry, staged, maxFileSize);
  const tally = new RunTally();
  const runs = tally.watch(clusterRuns(ranges, clusterSize, size, source.size));
  const toRead = runsToRead(runs, parent, clusterSize, size);
  const chunks = readClusters(toRead, { source, parent, clusterSize, size, buffers, signal });
  const changes: AsyncIterable<LayerBatch> = findChanges(readAhead(chunks), {
    source,
    size,
    clusterSize,
    index,
  });
  const packed = pool ? pool.compress(changes) : changes;
  let equalDataClusters = 0;
  for await (const batch of stageBatches(packed, staged, clusterSize, limit)) {
    const reached = limit?.cutAt ?? batch.reached;
    tally.reached(reached);
    equalDataClusters += batch.spared.filter((guest) => guest < reached).length;
    onProgress?.({ done: Math.min(reached * clusterSize, size), total: size });
    buffers.give(batch);
  }
  const written = await emitLayer(new DigestWriter(file), staged, geometry, options);
  const end = Math.min((limit?.cutAt ?? Number.POSITIVE_INFINITY) * clusterSize, size);
  onProgress?.({ done: end, total: size });
  const { dataClusters, zeroClusters, sharedClusters } = staged;
  const looked = tally.ahead(limit?.cutAt ?? Number.POSITIVE_INFINITY);
  const equalClusters = looked - dataClusters - zeroClusters;
  const counts = { dataClusters, zeroClusters, sharedClusters, equalClusters, equalDataClusters };
  return { summary: { ...written, ...counts }, end };
}
