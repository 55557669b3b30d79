import { rm } from 'node:fs/promises';
import type { Disk, Extent } from '../disk/index.ts';
import { systemError } from '../errors/index.ts';
import type { Digest } from '../oci/index.ts';
import type { LayerSummary } from '../qcow2/index.ts';
import { author } from './author.ts';
import { created } from './created.ts';
import type { StagedLayer } from './layers.ts';
import { type StagedVersion, stageVersion } from './publish.ts';
import { stageLayers, sumOf } from './stage-layers.ts';
import type { Staging } from './staging.ts';
import type { Compression, Made, WorkOptions } from './types.ts';
import { encodeVersion, type VersionDocument } from './version-document.ts';
import type { VersionsByTip } from './versions-by-tip.ts';

/** A version, and a disk that reads as it does. */
export interface StandsOn {
  readonly version: VersionDocument;
  readonly disk: Disk;
}

/** A disk that becomes a version. */
export interface StateSource {
  readonly disk: Disk;
  /** Where it may differ from what it stands on, from an offset on. */
  readonly rangesFrom: (offset: number) => AsyncIterable<Extent>;
  readonly below: StandsOn | null;
  readonly made: Made;
  readonly message?: string | undefined;
  /** RFC 3339, UTC (default now). */
  readonly created?: string | undefined;
}

/** How it becomes one. */
export interface StateOptions extends WorkOptions {
  readonly compression?: Compression | undefined;
  /** The most bytes of a layer's file (default: one layer, however large). */
  readonly maxLayerSize?: number | undefined;
  /** Of its files in staging. */
  readonly name: string;
  /** Versions that may be taken in its place. */
  readonly known?: VersionsByTip | undefined;
}

/** What a state became. */
export interface StatedVersion {
  readonly version: VersionDocument;
  /** null: the store has the version already. */
  readonly staged: StagedVersion | null;
  readonly summary: LayerSummary;
}

/** A disk ends with a whole sector: QEMU reads no other. */
const SECTOR = 512;

/**
 * Stages the version of a disk: the difference to the version that it stands on, in a layer or more. A disk that differs
 * in nothing has the very layers of what it stands on.
 */
export async function stageState(
  staging: Staging,
  source: StateSource,
  options: StateOptions,
): Promise<StatedVersion> {
  const parent = source.below?.version;
  const size = Math.ceil(source.disk.size / SECTOR) * SECTOR;
  const layers = await stageDifference(staging, source, size, options);
  const all = sumOf(layers);
  const { dataClusters, zeroClusters } = all;
  const isEqual = parent?.size === size && dataClusters + zeroClusters === 0;
  const known = isEqual ? options.known && parent : await options.known?.find(tipOf(layers));
  if (isEqual || known !== undefined) for (const layer of layers) await forget(layer);
  const summary = isEqual ? { ...all, digest: parent.tip, fileSize: 0 } : all;
  if (known !== undefined) return { version: known, staged: null, summary };
  const version = encodeVersion(
    {
      message: source.message ?? '',
      author: author(),
      created: source.created ?? created(),
      parents: parent === undefined ? [] : [parent.digest],
      size,
      machine: parent?.config.machine ?? {},
      made: source.made,
    },
    [...(parent?.layers ?? []), ...(isEqual ? [] : layers.map(({ info }) => info))],
  );
  const staged = await stageVersion(
    staging,
    isEqual ? [] : layers.map(({ blob }) => blob),
    version,
    options.name,
  );
  return { version: version.document, staged, summary };
}

async function stageDifference(
  staging: Staging,
  { disk, rangesFrom, below }: StateSource,
  size: number,
  { compression, maxLayerSize, signal, onProgress, name }: StateOptions,
): Promise<StagedLayer[]> {
  const tip = below?.version.layers.at(-1);
  const onto = below === null || tip === undefined ? null : { tip, disk: below.disk };
  const work = { compression, signal, onProgress };
  return stageLayers(staging, {
    ...{ size, disk, rangesFrom, maxLayerSize, below: onto, ...work },
    name: `${name}.layer`,
  });
}

/** Gives the space back at once: a chain may be long. */
async function forget({ blob }: StagedLayer): Promise<void> {
  try {
    await rm(blob.path);
  } catch (error) {
    throw systemError(`cannot remove ${blob.path}`, error);
  }
}

function tipOf(layers: readonly StagedLayer[]): Digest {
  const tip = layers.at(-1)?.info.digest;
  if (tip === undefined) throw new TypeError('a difference is at least one layer');
  return tip;
}
