import { rm } from 'node:fs/promises';
import { CalveError } from '../../errors/index.ts';
import { type HostFile, openFile } from '../../host/index.ts';
import { BatchBuffers } from '../compression/batch-buffers.ts';
import type { Codec } from '../compression/compress-cluster.ts';
import { openCompressorPool } from '../compression/compressor-pool.ts';
import { clusterRuns } from './cluster-runs.ts';
import { ContentIndex } from './content-index.ts';
import { DigestWriter } from './digest-writer.ts';
import { emitLayer } from './emit-layer.ts';
import { findChanges, type LayerBatch } from './find-changes.ts';
import { LayerLimit } from './layer-limit.ts';
import {
  type LayerGeometry,
  type LayerOptions,
  type LayerPart,
  type LayerSummary,
  layerCodec,
  layerGeometry,
} from './layer-options.ts';
import { readAhead } from './read-ahead.ts';
import { readClusters } from './read-clusters.ts';
import { RunTally } from './run-tally.ts';
import { runsToRead } from './runs-to-read.ts';
import { stageBatches } from './stage-batches.ts';
import { StagedLayer } from './staged-layer.ts';

export type { LayerOptions, LayerPart, LayerSummary };

/**
 * Writes what a disk differs in from its parent as a layer: a qcow2 file in the one form that the difference, the
 * parent and the settings leave it. The same three make the same bytes, however the source is stored and the ranges
 * are cut, and whatever the machine.
 *
 * The file is version 3, with 16-bit refcounts; header, L1 table, L2 tables, refcount table, refcount blocks, then
 * plain clusters, then compressed ones, each in guest order without gaps. A cluster that reads as the parent's is
 * left out; zeros are a zero entry; equal clusters share their data, as often as a refcount can count. Compressed
 * is what becomes smaller by it.
 *
 * Data passes through in batches of 512 KiB, read ahead, compressed on threads, and staged in files without a
 * name beside `path`, because metadata comes ahead of it.
 *
 * @param path must not be there; the file is durable when this resolves, its name is not, and on any failure there
 *   is none
 * @throws CalveError `out-of-range` or `usage` for an option; `exists`; `aborted`; `no-space`, `io`; what the disks
 *   throw
 */
export async function writeLayer(
  path: string,
  options: Omit<LayerOptions, 'maxFileSize'>,
): Promise<LayerSummary> {
  return (await writeLayerPart(path, options)).summary;
}

/**
 * Writes a layer as `writeLayer` does, of as much of the difference as its largest size allows. The next layer begins
 * at `end`: with this one's digest as its backing file, and compared with the same parent, since between the two there
 * is nothing at its clusters.
 *
 * @throws CalveError as `writeLayer`; `usage` for a size in which no cluster is sure to fit
 */
export async function writeLayerPart(path: string, options: LayerOptions): Promise<LayerPart> {
  const geometry = layerGeometry(options);
  const codec = layerCodec(options, geometry.clusterSize);
  if (options.signal?.aborted) throw aborted(path, options.signal);
  const file = await openFile(path, { create: true });
  try {
    await using _closed = file;
    return await writeInto(file, geometry, codec, options);
  } catch (error) {
    await rm(path, { force: true });
    throw options.signal?.aborted ? aborted(path, options.signal) : error;
  }
}

async function writeInto(
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

function aborted(path: string, signal: AbortSignal): CalveError {
  return new CalveError('aborted', `writing ${path} was aborted`, { cause: signal.reason });
}
