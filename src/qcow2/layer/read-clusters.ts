import type { Disk } from '../../disk/index.ts';
import type { BatchBuffers, BufferPair } from '../compression/batch-buffers.ts';
import type { ClusterRun } from './cluster-runs.ts';
import { readPadded } from './read-padded.ts';

/** What is read of two disks, in which clusters. */
export interface ReadOptions {
  readonly source: Disk;
  readonly parent: Disk | undefined;
  readonly clusterSize: number;
  /** Bytes of the layer's virtual disk; what the two disks have past it does not count. */
  readonly size: number;
  readonly buffers: BatchBuffers;
  readonly signal: AbortSignal | undefined;
}

/** The clusters of some runs, read: cluster `n` of the chunk is the `n`th of its runs. */
export interface ClusterChunk extends BufferPair {
  readonly runs: readonly ClusterRun[];
  readonly clusters: number;
  /** The same clusters of the parent; undefined without one. Valid until the chunk after the next is read. */
  readonly parent: Uint8Array | undefined;
}

/**
 * Reads clusters of the source and of the parent, as many at a time as a batch holds, from runs near and far.
 * Past its end a disk reads as zeros.
 *
 * @throws what the disks throw; the signal's reason
 */
export async function* readClusters(
  runs: AsyncIterable<ClusterRun>,
  options: ReadOptions,
): AsyncGenerator<ClusterChunk> {
  const { parent, clusterSize, buffers } = options;
  // One chunk is read while the one before is looked at.
  const parentBuffers = Array.from(
    { length: 2 },
    () => new Uint8Array(parent ? buffers.clusters * clusterSize : 0),
  );
  let turn = 0;
  for await (const gathered of gatherRuns(runs, buffers.clusters)) {
    options.signal?.throwIfAborted();
    const clusters = gathered.reduce((sum, { count }) => sum + count, 0);
    const pair = buffers.take();
    const parentBytes = parent && parentBuffers[turn++ % 2];
    await readRuns(gathered, pair.input, parentBytes, options);
    yield { ...pair, runs: gathered, clusters, parent: parentBytes };
  }
}

/** Runs that together have at most `most` clusters; long ones are cut. */
async function* gatherRuns(runs: AsyncIterable<ClusterRun>, most: number): AsyncGenerator<ClusterRun[]> {
  let gathered: ClusterRun[] = [];
  let room = most;
  for await (const run of runs) {
    for (let done = 0; done < run.count; ) {
      const count = Math.min(run.count - done, room);
      gathered.push({ first: run.first + done, count, zero: run.zero });
      done += count;
      room -= count;
      if (room > 0) continue;
      yield gathered;
      gathered = [];
      room = most;
    }
  }
  if (gathered.length > 0) yield gathered;
}

/** All runs are read at the same time: far apart, they are many small reads. */
async function readRuns(
  runs: readonly ClusterRun[],
  sourceBytes: Uint8Array,
  parentBytes: Uint8Array | undefined,
  { source, parent, clusterSize, size }: ReadOptions,
): Promise<void> {
  const reads: Promise<void>[] = [];
  let at = 0;
  for (const { first, count, zero } of runs) {
    const end = at + count * clusterSize;
    const offset = first * clusterSize;
    if (zero) sourceBytes.fill(0, at, end);
    else reads.push(readPadded(source, sourceBytes.subarray(at, end), offset, size));
    if (parent && parentBytes) reads.push(readPadded(parent, parentBytes.subarray(at, end), offset, size));
    at = end;
  }
  // No read may still be filling a buffer when the failure of another one is passed on.
  for (const read of await Promise.allSettled(reads)) if (read.status === 'rejected') throw read.reason;
}
