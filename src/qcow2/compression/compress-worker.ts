// The thread that a CompressorPool starts: batches come in, the same batches go out compressed, in order.
import { parentPort, workerData } from 'node:worker_threads';
import { libzstdIfAny } from '../../host/index.ts';
import { type ClusterBatch, compressBatch } from './cluster-batch.ts';
import { clusterCompressor } from './compress-cluster.ts';
import type { CompressThreadData } from './compress-thread.ts';

const { codec, ended }: CompressThreadData = workerData;
const compress = clusterCompressor(codec);
const isEnded = () => Atomics.load(ended, 0) === 1;

parentPort?.on('message', (batch: ClusterBatch | null) => {
  if (batch && !isEnded()) {
    compressBatch(batch, codec.clusterSize, (cluster, into) => (isEnded() ? 0 : compress(cluster, into)));
    parentPort?.postMessage(batch, [batch.input.buffer, batch.output.buffer]);
  }
  // With its port closed the thread has nothing left to wait for.
  if (!isEnded()) return;
  parentPort?.close();
  if (codec.compression === 'zstd') libzstdIfAny()?.release();
});
