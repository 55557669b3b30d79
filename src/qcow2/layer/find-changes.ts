import { crc32 } from 'node:zlib';
import { isZero } from '../../bytes/index.ts';
import type { Disk } from '../../disk/index.ts';
import type { ClusterBatch } from '../compression/cluster-batch.ts';
import type { ContentIndex } from './content-index.ts';
import type { ClusterChunk } from './read-clusters.ts';
import { readPadded } from './read-padded.ts';

/** The content number of a cluster that reads zeros where the parent does not. */
export const ZERO_CONTENT = -1;

/** The clusters that a layer records, in guest order; the new contents among them are those to compress. */
export interface LayerBatch extends ClusterBatch {
  /** Numbers of guest clusters. */
  readonly guests: readonly number[];
  /**
   * What each holds, by the number of its content: ZERO_CONTENT; that of an earlier cluster; or the next number,
   * which belongs to the next of `chosen`.
   */
  readonly contents: readonly number[];
  /** Guest clusters that hold data and are left out, because the parent has it. */
  readonly spared: readonly number[];
  /** The guest cluster that was reached. */
  readonly reached: number;
}

/** What chunks are looked at by. */
export interface FindOptions {
  /** Where the chunks are from; clusters that may be equal are read again to compare them. */
  readonly source: Disk;
  readonly size: number;
  readonly clusterSize: number;
  readonly index: ContentIndex;
}

/**
 * Compares chunks with the parent, which reads zeros where there is none, and finds equal contents.
 *
 * Each cluster costs, in this order and only as far as needed: a test for zeros, a comparison with the parent, a
 * checksum, and where that was seen before, a read and a comparison. A cryptographic digest would need no second
 * read, but costs every cluster several times as much on processors without instructions for it.
 */
export async function* findChanges(
  chunks: AsyncIterable<ClusterChunk>,
  options: FindOptions,
): AsyncGenerator<LayerBatch> {
  const scratch = new Uint8Array(options.clusterSize);
  for await (const chunk of chunks) yield await changesOf(chunk, options, scratch);
}

async function changesOf(
  chunk: ClusterChunk,
  options: FindOptions,
  scratch: Uint8Array,
): Promise<LayerBatch> {
  const { clusterSize, index } = options;
  const guests: number[] = [];
  const contents: number[] = [];
  const chosen: number[] = [];
  const spared: number[] = [];
  let at = 0;
  for (const run of chunk.runs) {
    for (let guest = run.first; guest < run.first + run.count; guest += 1, at += 1) {
      const cluster = chunk.input.subarray(at * clusterSize, (at + 1) * clusterSize);
      const parent = chunk.parent?.subarray(at * clusterSize, (at + 1) * clusterSize);
      const zero = run.zero || isZero(cluster);
      if (zero ? !parent || isZero(parent) : parent && Buffer.compare(cluster, parent) === 0) {
        if (!zero) spared.push(guest);
        continue;
      }
      guests.push(guest);
      if (zero) {
        contents.push(ZERO_CONTENT);
        continue;
      }
      const fingerprint = crc32(cluster);
      const candidate = index.find(fingerprint);
      if (candidate !== undefined && (await equals(cluster, index.guestOf(candidate), options, scratch))) {
        contents.push(candidate);
      } else {
        contents.push(index.add(fingerprint, guest));
        chosen.push(at);
      }
    }
  }
  const { input, output, runs } = chunk;
  const last = runs.at(-1);
  const reached = last ? last.first + last.count : 0;
  return { input, output, chosen, lengths: chosen.map(() => 0), guests, contents, spared, reached };
}

async function equals(
  cluster: Uint8Array,
  guest: number,
  { source, size, clusterSize }: FindOptions,
  scratch: Uint8Array,
): Promise<boolean> {
  await readPadded(source, scratch, guest * clusterSize, size);
  return Buffer.compare(cluster, scratch) === 0;
}
