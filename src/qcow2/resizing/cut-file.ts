import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';

/**
 * Ends the file with its last cluster in use. Refcount blocks that count nothing but themselves go first, from the last
 * on, as each lies among the clusters that it counts. Nothing is dirty, and refcounts are durable, before and after.
 */
export async function cutFile(writer: ImageWriter): Promise<void> {
  const { metadata, parts } = writer;
  const { refcounts, clusters, file } = metadata;
  const { clusterSize } = parts.geometry;
  await parts.mutex.run(async () => {
    let last = await refcounts.lastUsed(Math.ceil(file.end / clusterSize));
    while (clusters.kindOf(last) === 'refcount block') {
      if (!(await refcounts.dropBlock(Math.floor(last / refcounts.blockEntries)))) break;
      clusters.remove(last * clusterSize, clusterSize);
      last = await refcounts.lastUsed(last);
    }
    await settleMetadata(metadata);
    await file.cutTo((last + 1) * clusterSize);
    await file.barrier();
  });
}
