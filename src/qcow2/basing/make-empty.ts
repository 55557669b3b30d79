import { cutFile } from '../resizing/cut-file.ts';
import { releaseFrom } from '../resizing/release-past-end.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';

/**
 * Takes everything out of the active tables, so that the disk reads as its backing file does, and gives the storage back.
 * Snapshots keep what they use, and bitmaps stay. A table is let go as a whole: a crash in between leaves some of them,
 * and leaks at worst. The caller holds the writer's gate alone.
 */
export async function makeEmpty(writer: ImageWriter): Promise<void> {
  const { parts, metadata } = writer;
  await settleMetadata(metadata);
  for (let index = 0; index < metadata.l1.length; index += 1) {
    if (metadata.l1.tableOffset(index) === 0) continue;
    await parts.mutex.run(async () => {
      await parts.makeRoom();
      await releaseFrom(writer, index, 0);
    });
  }
  await parts.mutex.run(() => settleMetadata(metadata));
  metadata.l2.forget();
  await cutFile(writer);
}
