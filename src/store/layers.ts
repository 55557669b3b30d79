import type { Disk, Extent } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { hexOf, isDigest } from '../oci/index.ts';
import { type LayerSummary, writeLayerPart } from '../qcow2/index.ts';
import type { StagedBlob } from './publish.ts';
import type { Staging } from './staging.ts';
import { readConfig } from './store-config.ts';
import type { Compression, LayerInfo, WorkOptions } from './types.ts';

/** What a layer is made of. */
export interface LayerSource extends WorkOptions {
  /** Virtual size, bytes. */
  readonly size: number;
  readonly disk: Disk;
  /** Where the disk may differ from the chain below. */
  readonly ranges: AsyncIterable<Extent>;
  /** The chain that the layer goes on top of, and its disk. */
  readonly below: { readonly tip: LayerInfo; readonly disk: Disk } | null;
  /** Default: the store's setting. */
  readonly compression?: Compression | undefined;
}

/** A layer in staging. */
export interface StagedLayer {
  readonly blob: StagedBlob;
  readonly info: LayerInfo;
  readonly summary: LayerSummary;
}

/**
 * Writes the canonical layer of a disk's difference to the chain below it into staging.
 * @param name of the file in staging, for a version of several layers
 */
export async function stageLayer(
  staging: Staging,
  source: LayerSource,
  name = 'layer.qcow2',
): Promise<StagedLayer> {
  return (await stagePart(staging, source, name)).layer;
}

/**
 * Writes a layer of as much of the difference as fits into `maxFileSize` bytes; `end` is the offset in the disk up to
 * which that is.
 */
export async function stagePart(
  staging: Staging,
  source: LayerSource,
  name: string,
  maxFileSize?: number,
): Promise<{ readonly layer: StagedLayer; readonly end: number }> {
  const path = staging.path(name);
  const { below } = source;
  const { summary, end } = await writeLayerPart(path, {
    size: source.size,
    compression: source.compression ?? (await readConfig(staging.context)).compression,
    source: source.disk,
    ranges: source.ranges,
    maxFileSize,
    ...(below === null ? {} : { backingFile: hexOf(below.tip.digest), parent: below.disk }),
    signal: source.signal,
    onProgress: ({ done, total }) => source.onProgress?.({ phase: 'reading', done, total }),
  });
  if (!isDigest(summary.digest))
    throw new CalveError('corrupt', `${path}: expected a digest, got ${summary.digest}`);
  const layer = {
    blob: { path, digest: summary.digest },
    info: { digest: summary.digest, size: summary.fileSize },
    summary,
  };
  return { layer, end };
}
