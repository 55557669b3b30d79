import type { Disk } from '../disk/index.ts';
import { digestOf, shortDigest } from '../oci/index.ts';
import type { Qcow2Disk } from '../qcow2/index.ts';
import { openUnverified } from './chain.ts';
import type { StoreContext } from './context.ts';
import { isHarm, likelyBases } from './likely-bases.ts';
import { verifyChain } from './protection.ts';
import { type ClusterSample, readSample, SAMPLE_SIZE, sampleDisk } from './sample-disk.ts';
import type { LayerInfo, WorkOptions } from './types.ts';
import type { VersionDocument } from './version-document.ts';

/** The most versions that a disk is compared with. */
const MOST_COMPARED = 32;
/** The part of the sample that a version must have to be near: less is what any two systems of a kind share. */
const NEAR = 0.1;

/** What comparing a disk with versions found. */
export interface NearestVersion {
  /** The version that has the most of the sample; null when none has enough of it. */
  readonly version: VersionDocument | null;
  /** Versions that were compared. */
  readonly compared: number;
  /** Clusters of data of the disk that were compared. */
  readonly sampled: number;
  /** How many of these the nearest version has in the same places, near enough or not. */
  readonly equal: number;
  /** What was passed over because it is harmed, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Finds the version that a disk differs least from, by a sample of the disk's data. It is read in at most 32 versions,
 * and once in each layer that decides, so the cost is that of the sample and not of the store.
 *
 * Layers are not verified for this: a harmed one makes a wrong guess, and whoever then builds on the version verifies.
 */
export async function findNearest(
  context: StoreContext,
  disk: Disk,
  options: WorkOptions,
): Promise<NearestVersion> {
  const warnings: string[] = [];
  const samples = await sampleDisk(disk, options.signal);
  const compare = new Comparison(samples);
  const scored: { readonly version: VersionDocument; readonly equal: number }[] = [];
  let tried = 0;
  for await (const version of likelyBases(context, (sentence) => warnings.push(sentence))) {
    options.signal?.throwIfAborted();
    tried += 1;
    try {
      scored.push({ version, equal: await compare.with(context, version) });
    } catch (error) {
      if (!isHarm(error)) throw error;
      warnings.push(`version ${shortDigest(version.digest)} was passed over: ${error.message}`);
    }
    if (tried === MOST_COMPARED || samples.length === 0) break;
  }
  // The likelier comes first among equals: the sort is stable.
  scored.sort((a, b) => b.equal - a.equal);
  const found = { compared: scored.length, sampled: samples.length };
  for (const { version, equal } of scored) {
    if (!isNear(equal, samples.length)) break;
    try {
      await verifyChain(context, version.layers, options);
      return { ...found, version, equal, warnings };
    } catch (error) {
      if (!isHarm(error)) throw error;
      warnings.push(`version ${shortDigest(version.digest)} is near, and was passed over: ${error.message}`);
    }
  }
  return { ...found, version: null, equal: scored[0]?.equal ?? 0, warnings };
}

/** Compares a disk with one version, by the same sample and the same measure. */
export async function measureNearness(
  context: StoreContext,
  disk: Disk,
  version: VersionDocument,
  options: WorkOptions,
): Promise<NearestVersion> {
  const samples = await sampleDisk(disk, options.signal);
  const equal = await new Comparison(samples).with(context, version);
  const near = isNear(equal, samples.length);
  return { version: near ? version : null, compared: 1, sampled: samples.length, equal, warnings: [] };
}

function isNear(equal: number, sampled: number): boolean {
  return sampled > 0 && equal >= sampled * NEAR;
}

/** A sample that is compared with versions. What a layer has in a cluster is read once for all that stand on it. */
class Comparison {
  readonly #samples: readonly ClusterSample[];
  readonly #bytes = new Uint8Array(SAMPLE_SIZE);
  /** By layer and cluster: whether the layer has the sample there. */
  readonly #known = new Map<string, boolean>();

  constructor(samples: readonly ClusterSample[]) {
    this.#samples = samples;
  }

  /** How many clusters of the sample a version has. */
  async with(context: StoreContext, { layers }: VersionDocument): Promise<number> {
    await using disk = await openUnverified(context, layers);
    let equal = 0;
    for (const sample of this.#samples) if (await this.#has(disk, layers, sample)) equal += 1;
    return equal;
  }

  async #has(disk: Qcow2Disk, layers: readonly LayerInfo[], sample: ClusterSample): Promise<boolean> {
    const offset = sample.cluster * SAMPLE_SIZE;
    const length = Math.min(SAMPLE_SIZE, disk.size - offset);
    if (length <= 0) return false;
    const depths = new Set<number>();
    let data = false;
    for await (const { kind, depth } of disk.extents(offset, length)) {
      if (kind === 'data') data = true;
      depths.add(depth);
    }
    // A sample is never all zeros.
    if (!data) return false;
    const [depth = 0] = depths;
    // A cluster that several layers decide is no one layer's.
    const key = depths.size > 1 ? undefined : `${layers.at(-1 - depth)?.digest} ${sample.cluster} ${length}`;
    const known = key === undefined ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    await readSample(disk, sample.cluster, this.#bytes);
    const has = digestOf(this.#bytes) === sample.digest;
    if (key !== undefined) this.#known.set(key, has);
    return has;
  }
}
