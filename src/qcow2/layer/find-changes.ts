import { hash } from 'node:crypto';
import { isZero } from '../../bytes/index.ts';
import type { ClusterBatch } from '../compression/cluster-batch.ts';
import type { DigestTable } from './digest-table.ts';
import type { ClusterChunk } from './read-clusters.ts';

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
  /** The guest cluster that was reached. */
  readonly reached: number;
}

/**
 * Compares chunks with the parent, which reads zeros where there is none, and finds equal contents.
 * Each cluster costs, in this order and only as far as needed: a test for zeros, a comparison, a sha256.
 */
export async function* findChanges(
  chunks: AsyncIterable<ClusterChunk>,
  contents: DigestTable,
  clusterSize: number,
): AsyncGenerator<LayerBatch> {
  for await (const chunk of chunks) yield changesOf(chunk, contents, clusterSize);
}

function changesOf(chunk: ClusterChunk, known: DigestTable, clusterSize: number): LayerBatch {
  const guests: number[] = [];
  const contents: number[] = [];
  const chosen: number[] = [];
  let index = 0;
  for (const run of chunk.runs) {
    for (let guest = run.first; guest < run.first + run.count; guest += 1, index += 1) {
      const cluster = chunk.input.subarray(index * clusterSize, (index + 1) * clusterSize);
      const parent = chunk.parent?.subarray(index * clusterSize, (index + 1) * clusterSize);
      const zero = run.zero || isZero(cluster);
      if (zero ? !parent || isZero(parent) : parent && Buffer.compare(cluster, parent) === 0) continue;
      const next = known.count;
      const content = zero ? ZERO_CONTENT : known.numberOf(hash('sha256', cluster, 'buffer'));
      if (content === next) chosen.push(index);
      guests.push(guest);
      contents.push(content);
    }
  }
  const last = chunk.runs.at(-1);
  const reached = last ? last.first + last.count : 0;
  return {
    input: chunk.input,
    output: chunk.output,
    chosen,
    lengths: chosen.map(() => 0),
    guests,
    contents,
    reached,
  };
}
