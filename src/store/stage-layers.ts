import { type Disk, type Extent, MemoryDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { LayerSummary } from '../qcow2/index.ts';
import { type LayerSource, type StagedLayer, stagePart } from './layers.ts';
import type { Staging } from './staging.ts';

/** What layers are made of: a source whose ranges can be asked for from any offset on. */
export interface LayersSource extends Omit<LayerSource, 'ranges'> {
  readonly rangesFrom: (offset: number) => AsyncIterable<Extent>;
  /** The most bytes of a layer's file; undefined: one layer, however large. */
  readonly maxLayerSize: number | undefined;
  /** What the files in staging are called, for a writer of several versions (default `layer`). */
  readonly name?: string | undefined;
}

/** The most layers that one difference becomes by default: whoever reads the version opens them all. */
const MOST_LAYERS = 128;

/**
 * Writes a disk's difference to the chain below as one layer or, where that would be larger than `maxLayerSize`, as
 * several, each backing the next. Each holds the clusters of a range of the disk that goes on where the one before
 * ends, so the disk is read once, but for what was read ahead at a cut.
 *
 * @param most how many layers at most
 * @returns base first, at least one
 * @throws CalveError `usage` for a size that is too small for any cluster, or of which too many layers would be needed
 */
export async function stageLayers(
  staging: Staging,
  source: LayersSource,
  most: number = MOST_LAYERS,
): Promise<StagedLayer[]> {
  const { below, rangesFrom, maxLayerSize, name = 'layer', ...rest } = source;
  const layers: StagedLayer[] = [];
  for (let offset = 0; offset < source.size || layers.length === 0; ) {
    if (layers.length === most) throw tooMany(source, most, offset);
    const last = layers.at(-1);
    const { layer, end } = await stagePart(
      staging,
      {
        ...rest,
        ranges: rangesFrom(offset),
        below: last === undefined ? below : { tip: last.info, disk: below?.disk ?? NOTHING },
      },
      `${name}-${layers.length}.qcow2`,
      maxLayerSize,
    );
    layers.push(layer);
    offset = end;
  }
  return layers;
}

/** What the first layer without a base stands on: past its end a disk reads zeros. */
const NOTHING: Disk = new MemoryDisk(0);

/** What became of the disk's clusters in all layers together; the digest is the last one's. */
export function sumOf(layers: readonly StagedLayer[]): LayerSummary {
  return layers
    .map((layer) => layer.summary)
    .reduce((sum, next) => ({
      digest: next.digest,
      fileSize: sum.fileSize + next.fileSize,
      dataClusters: sum.dataClusters + next.dataClusters,
      zeroClusters: sum.zeroClusters + next.zeroClusters,
      sharedClusters: sum.sharedClusters + next.sharedClusters,
      equalClusters: sum.equalClusters + next.equalClusters,
      equalDataClusters: sum.equalDataClusters + next.equalDataClusters,
    }));
}

function tooMany({ size, maxLayerSize }: LayersSource, most: number, offset: number): CalveError {
  return new CalveError(
    'usage',
    `layers of at most ${maxLayerSize} bytes: ${most} of them hold no more than ${offset} of ${size} bytes of the disk`,
    {
      hint: 'a larger --max-layer-size makes fewer layers',
      data: { maxLayerSize, layers: most, offset, size },
    },
  );
}
