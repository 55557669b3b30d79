import { type LayerBatch, ZERO_CONTENT } from './find-changes.ts';
import type { LayerLimit } from './layer-limit.ts';
import type { StagedLayer } from './staged-layer.ts';

/**
 * Puts compressed batches into the layer, one after the other, and passes each on when it has no more use for it.
 * Ends with the batch in which the layer's limit is met.
 */
export async function* stageBatches(
  batches: AsyncIterable<LayerBatch>,
  layer: StagedLayer,
  clusterSize: number,
  limit?: LayerLimit,
): AsyncGenerator<LayerBatch> {
  let nextContent = 0;
  for await (const batch of batches) {
    let fresh = 0;
    let compressedEnd = 0;
    for (const [index, guest] of batch.guests.entries()) {
      if (limit && !limit.admits(guest)) {
        yield batch;
        return;
      }
      const content = batch.contents[index];
      if (content === undefined || content === ZERO_CONTENT) {
        await layer.addZero(guest);
      } else if (content < nextContent) {
        await layer.addShared(guest, content);
      } else {
        const length = batch.lengths[fresh] ?? 0;
        const start = (batch.chosen[fresh] ?? 0) * clusterSize;
        const plain = batch.input.subarray(start, start + clusterSize);
        const compressed = batch.output.subarray(compressedEnd, compressedEnd + length);
        await layer.addNew(guest, length === 0 ? plain : compressed);
        compressedEnd += length;
        fresh += 1;
        nextContent += 1;
      }
    }
    yield batch;
  }
}
