import { ENTRY_SIZE } from '../constants.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { changeHeader } from './change-header.ts';

/** Ends the L1 table with the disk; the entries behind name nothing. Nothing is dirty, before and after. */
export async function cutL1(writer: ImageWriter): Promise<void> {
  const { metadata, parts } = writer;
  const { l1, l2, frees } = metadata;
  const { clusterSize, size, tableCovers } = parts.geometry;
  const entries = Math.ceil(size / tableCovers);
  if (entries >= l1.length) return;
  // No table at all lies nowhere, as in an image that is made with no size.
  const offset = entries === 0 ? 0 : l1.offset;
  await changeHeader(writer, { l1Size: entries, l1Offset: offset });
  const kept = Math.ceil((entries * ENTRY_SIZE) / clusterSize);
  const had = Math.ceil((l1.length * ENTRY_SIZE) / clusterSize);
  if (kept < had) {
    const rest = l1.offset + kept * clusterSize;
    frees.add(rest, (had - kept) * clusterSize, { flagged: false, punch: true });
  }
  l1.replace(l1.encoded().subarray(0, entries * ENTRY_SIZE), offset);
  l2.forget();
  await parts.mutex.run(() => settleMetadata(metadata));
}
