import { isZero } from '../../bytes/index.ts';
import { emptyEntry, writeEntry } from '../mapping/cluster-entry.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import type { FreeOptions } from '../writing/pending-frees.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';

const TABLE: FreeOptions = { flagged: true, punch: true };

/**
 * Takes everything out of the tables that lies in clusters past the end of the disk, and gives its storage back: L2
 * tables that map nothing else as a whole. Then everything is durable, and nothing is dirty.
 * @throws CalveError `corrupt` for an entry that no writer makes; its table stays as it is
 */
export async function releasePastEnd(writer: ImageWriter): Promise<void> {
  const { parts, metadata } = writer;
  const { clusterSize, tableEntries, size } = parts.geometry;
  const first = Math.ceil(size / clusterSize);
  for (let index = Math.floor(first / tableEntries); index < metadata.l1.length; index += 1) {
    if (metadata.l1.tableOffset(index) === 0) continue;
    await parts.mutex.run(async () => {
      await parts.makeRoom();
      await releaseFrom(writer, index, Math.max(0, first - index * tableEntries));
    });
  }
  await parts.mutex.run(() => settleMetadata(metadata));
  metadata.l2.forget();
}

/** The entries of a table from `from` on; with all of them goes the table. */
export async function releaseFrom(writer: ImageWriter, index: number, from: number): Promise<void> {
  const { tables, geometry, map, guestClusters, frees } = writer.parts;
  const { clusterSize, entryBytes, tableEntries } = geometry;
  const existing = await tables.existing(index);
  if (!existing || (from > 0 && isZero(existing.bytes.subarray(from * entryBytes)))) return;
  const [found, nothing] = [emptyEntry(), emptyEntry()];
  for (let entry = from; entry < tableEntries; entry += 1) map.readEntry(existing, entry, found);
  const table = from > 0 ? await tables.forWriting(index) : existing;
  for (let entry = from; entry < tableEntries; entry += 1) {
    map.readEntry(table, entry, found);
    if (found.owned !== 'nothing') guestClusters.release(table, entry, 'punched');
    if (from > 0) writeEntry(table, entry, geometry, nothing);
  }
  if (from > 0) return tables.markDirty(table);
  writer.metadata.l1.clear(index);
  frees.add(table.offset, clusterSize, TABLE);
}
