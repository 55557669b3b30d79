// The thread that a CompressorPool starts: batches come in, the same batches go out compressed, in order.
import { parentPort, workerData } from 'node:worker_threads';
import { type ClusterBatch, compressBatch } from './cluster-batch.ts';
import { type Codec, clusterCompressor } from './compress-cluster.ts';

const codec: Codec = workerData;
const compress = clusterCompressor(codec);

parentPort?.on('message', (batch: ClusterBatch) => {
  compressBatch(batch, codec.clusterSize, compress);
  parentPort?.postMessage(batch, [batch.input.buffer, batch.output.buffer]);
});
