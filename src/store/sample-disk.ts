import { isZero } from '../bytes/index.ts';
import { type Disk, extentsOf } from '../disk/index.ts';
import { digestOf } from '../oci/index.ts';

/** Bytes of a sampled cluster, whatever the clusters of an image are. */
export const SAMPLE_SIZE = 65536;

/** The most clusters that are sampled. */
const MOST_SAMPLES = 256;
/** The most that are read to find so many that are not zeros: a raw file may well be full of stored zeros. */
const MOST_READ = 1024;

/** A cluster of a disk by which other disks are compared with it. */
export interface ClusterSample {
  /** Number of the cluster. */
  readonly cluster: number;
  /** The digest of its bytes, which are not all zeros. */
  readonly digest: string;
}

/**
 * A sample of a disk's data, spread over all of it by chance that is the same every time: of the clusters with data
 * those whose scrambled numbers come first. The disk's extents are walked once; what is read and remembered is bounded
 * whatever its size.
 */
export async function sampleDisk(disk: Disk, signal?: AbortSignal): Promise<ClusterSample[]> {
  const samples: ClusterSample[] = [];
  const bytes = new Uint8Array(SAMPLE_SIZE);
  for (const cluster of await chooseClusters(disk)) {
    if (samples.length === MOST_SAMPLES) break;
    signal?.throwIfAborted();
    await readSample(disk, cluster, bytes);
    if (!isZero(bytes)) samples.push({ cluster, digest: digestOf(bytes) });
  }
  return samples;
}

/** Reads a cluster of a disk, with zeros from the disk's end on. */
export async function readSample(disk: Disk, cluster: number, into: Uint8Array): Promise<void> {
  const offset = cluster * SAMPLE_SIZE;
  const there = Math.max(0, Math.min(into.length, disk.size - offset));
  into.fill(0, there);
  const part = into.subarray(0, there);
  if (there > 0 && !disk.tryRead?.(part, offset)) await disk.read(part, offset);
}

/**
 * The clusters that hold data whose numbers, scrambled, are the smallest, in that order, so that any first ones of them
 * are a sample as well. Every so often the larger half of what was gathered is let go.
 */
async function chooseClusters(disk: Disk): Promise<number[]> {
  let chosen: { readonly cluster: number; readonly rank: number }[] = [];
  let worst = Number.POSITIVE_INFINITY;
  let next = 0;
  const trim = (): void => {
    chosen = chosen.sort((a, b) => a.rank - b.rank || a.cluster - b.cluster).slice(0, MOST_READ);
    worst = chosen.length === MOST_READ ? (chosen.at(-1)?.rank ?? worst) : worst;
  };
  for await (const { offset, length, kind } of extentsOf(disk, 0, disk.size)) {
    if (kind !== 'data') continue;
    const first = Math.max(next, Math.floor(offset / SAMPLE_SIZE));
    next = Math.ceil((offset + length) / SAMPLE_SIZE);
    for (let cluster = first; cluster < next; cluster += 1) {
      const rank = scramble(cluster);
      if (rank > worst) continue;
      chosen.push({ cluster, rank });
      if (chosen.length === 2 * MOST_READ) trim();
    }
  }
  trim();
  return chosen.map(({ cluster }) => cluster);
}

/** A number of 32 bits that shows nothing of the one it was made of. */
function scramble(cluster: number): number {
  let mixed = Math.imul(cluster ^ Math.floor(cluster / 2 ** 32), 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca77);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
