import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';

const NOTHING_LEFT = { flagged: false, punch: false };

/**
 * Ends the file with its last cluster in use. Refcount blocks that count nothing but themselves go first. Nothing is dirty,
 * and refcounts are durable, before and after.
 */
export async function cutFile(writer: ImageWriter): Promise<void> {
  const { metadata, parts } = writer;
  const { refcounts, file } = metadata;
  const { clusterSize } = parts.geometry;
  await parts.mutex.run(async () => {
    // A block that is gone may have been all that another one counted.
    while (await dropIdleBlocks(writer)) await settleMetadata(metadata);
    const last = await refcounts.lastUsed(Math.ceil(file.end / clusterSize));
    await file.cutTo((last + 1) * clusterSize);
    await file.barrier();
  });
}

/** Returns whether there were any. The clusters of those that another block counts are free once the table is durable. */
async function dropIdleBlocks({ metadata, parts }: ImageWriter): Promise<boolean> {
  const { refcounts, clusters } = metadata;
  const { clusterSize } = parts.geometry;
  const places = await refcounts.dropIdle();
  for (const offset of places) {
    if (refcounts.hasBlock(offset / clusterSize)) parts.frees.add(offset, clusterSize, NOTHING_LEFT);
    else clusters.remove(offset, clusterSize);
  }
  return places.length > 0;
}
