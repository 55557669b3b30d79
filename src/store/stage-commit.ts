import { type Extent, extentsOf } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { Range } from '../img/index.ts';
import { shortDigest } from '../oci/index.ts';
import type { Qcow2Disk } from '../qcow2/index.ts';
import { changedRanges } from './changed-ranges.ts';
import type { StoreContext } from './context.ts';
import { openOverlay } from './env-disk.ts';
import { type LayerSource, type StagedLayer, stageLayer } from './layers.ts';
import { mappedExtents } from './mapped-extents.ts';
import { layersToMerge } from './merge-policy.ts';
import type { CommitOptions } from './options.ts';
import { readyChain } from './ready-chain.ts';
import type { Staging } from './staging.ts';
import type { CommitResult, LayerInfo } from './types.ts';
import { upperImages } from './upper-images.ts';
import type { VersionDocument } from './version-document.ts';

/** What a commit makes of an env, in staging. */
export interface StagedCommit extends Pick<CommitResult, 'changed' | 'mergedLayers'> {
  readonly layer: StagedLayer;
  /** The new version's chain, base first. */
  readonly chain: readonly LayerInfo[];
  /** Virtual size, bytes. */
  readonly size: number;
}

/** A commit that is being staged: the env's disk on its parent version, and how to write layers of it. */
interface Work {
  readonly staging: Staging;
  readonly parent: VersionDocument;
  readonly overlay: Qcow2Disk;
  readonly options: CommitOptions;
}

/**
 * Writes the layer of what the overlay changed. Where the chain gets deep, that and the upper layers of the parent are
 * written as one layer instead, which stands on the rest; for a squash, on nothing.
 *
 * The change alone is always written first: it tells whether there is anything to commit, and how large it is, by
 * which `layersToMerge` decides.
 * @throws CalveError `unchanged`, `unsupported`, `changed`, `no-space`; what writing a layer throws
 */
export async function stageCommit(
  context: StoreContext,
  staging: Staging,
  name: string,
  parent: VersionDocument,
  options: CommitOptions,
): Promise<StagedCommit> {
  await readyChain(context, parent.layers, options);
  await using overlay = await openOverlay(context, name, parent.layers, {});
  if (overlay.header.snapshotCount > 0) {
    throw new CalveError(
      'unsupported',
      `environment ${name}: its overlay has ${overlay.header.snapshotCount} internal snapshots`,
      {
        hint: `qemu-img snapshot -l ${context.layout.overlay(name)}`,
      },
    );
  }
  const work = { staging, parent, overlay, options };
  const change = await stageChange(work);
  const { dataClusters, zeroClusters } = change.layer.summary;
  const changed = { dataClusters, zeroClusters };
  const squash = options.squash === true;
  if (
    overlay.size === parent.size &&
    dataClusters + zeroClusters === 0 &&
    !(squash && parent.layers.length > 1)
  ) {
    throw new CalveError(
      'unchanged',
      `environment ${name} has changed nothing since version ${shortDigest(parent.digest)}`,
    );
  }
  const staged = squash ? await stageSquashed(work) : ((await stageMerged(work, change.layer)) ?? change);
  return { ...staged, size: overlay.size, changed };
}

type Staged = Pick<StagedCommit, 'layer' | 'chain' | 'mergedLayers'>;

/** What the overlay changed, on the parent's whole chain. */
async function stageChange(work: Work): Promise<Staged> {
  const { parent, overlay } = work;
  const tip = parent.layers.at(-1);
  if (overlay.backing === null || tip === undefined) throw new TypeError('an env stands on a chain');
  const below = { tip, disk: overlay.backing };
  const layer = await stageFrom(work, { ranges: mappedExtents(overlay), below });
  return { layer, chain: [...parent.layers, layer.info], mergedLayers: 0 };
}

/** The change and the upper layers that are due for it as one layer; undefined when none are. */
async function stageMerged(work: Work, change: StagedLayer): Promise<Staged | undefined> {
  const { parent, overlay } = work;
  const mergedLayers = layersToMerge(
    parent.layers.map((layer) => layer.size),
    change.info.size,
  );
  if (mergedLayers === 0) return undefined;
  const lower = parent.layers.slice(0, -mergedLayers);
  const { upper, below: disk } = upperImages(overlay, mergedLayers + 1);
  const tip = lower.at(-1);
  if (disk === null || tip === undefined) throw new TypeError('a chain keeps its first layer');
  const ranges = extentsWithin(overlay, changedRanges(upper, [overlay.size, overlay.size]));
  try {
    const layer = await stageFrom(work, { ranges, below: { tip, disk } }, 'merged.qcow2');
    return { layer, chain: [...lower, layer.info], mergedLayers };
  } catch (error) {
    // Where there is no room for the larger layer, the commit is worth more than a short chain.
    if (CalveError.is(error, 'no-space')) return undefined;
    throw error;
  }
}

/** The whole disk as one layer. */
async function stageSquashed(work: Work): Promise<Staged> {
  const { parent, overlay } = work;
  const ranges = extentsOf(overlay, 0, overlay.size);
  const layer = await stageFrom(work, { ranges, below: null }, 'squashed.qcow2');
  return { layer, chain: [layer.info], mergedLayers: parent.layers.length };
}

function stageFrom(
  { staging, overlay, options: { compression, signal, onProgress } }: Work,
  source: Pick<LayerSource, 'ranges' | 'below'>,
  name?: string,
): Promise<StagedLayer> {
  const { size } = overlay;
  return stageLayer(
    staging,
    { size, disk: overlay, ...source, ...{ compression, signal, onProgress } },
    name,
  );
}

/** What the disk, with all below it, has in some ranges: where they say zeros, nothing need be read. */
async function* extentsWithin(disk: Qcow2Disk, ranges: AsyncIterable<Range>): AsyncGenerator<Extent> {
  for await (const { offset, length } of ranges) yield* extentsOf(disk, offset, length);
}
