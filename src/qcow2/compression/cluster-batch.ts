import type { ClusterCompressor } from './compress-cluster.ts';

/**
 * Clusters that are compressed together, so that a message between threads carries more than one. A pool takes the
 * two buffers away while a worker has them.
 */
export interface ClusterBatch {
  /** Clusters, one after the other. */
  input: Uint8Array<ArrayBuffer>;
  /** The compressed clusters, one after the other without gaps; as long as `input`. */
  output: Uint8Array<ArrayBuffer>;
  /** Which of the clusters in `input` to compress, counted from 0. */
  chosen: readonly number[];
  /** The compressed length of each chosen one; 0 where compressing it is no gain and `output` has nothing of it. */
  lengths: readonly number[];
}

/** Compresses a batch here and now: `lengths` and `output` are made from `input` and `chosen`. */
export function compressBatch(batch: ClusterBatch, clusterSize: number, compress: ClusterCompressor): void {
  let end = 0;
  batch.lengths = batch.chosen.map((cluster) => {
    const start = cluster * clusterSize;
    const length = compress(batch.input.subarray(start, start + clusterSize), batch.output.subarray(end));
    end += length;
    return length;
  });
}
