import type { ImageWriter } from '../writing/image-writer.ts';
import { commitMetadata } from '../writing/metadata-commit.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { setCopiedByCounts } from './copied-flags.ts';
import { encodeSnapshotTable } from './encode-snapshot-table.ts';
import { NewPlaces, release } from './new-places.ts';
import { readSnapshotL1 } from './read-snapshot-l1.ts';
import { RepairMark } from './repair-mark.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import { activeTree, storedTree } from './table-tree.ts';
import { TreeReferences } from './tree-references.ts';
import { before, decide } from './turning-point.ts';

/**
 * Deletes a snapshot that nobody reads. While nothing else changes the image.
 *
 * A new snapshot table is written; one write of the header goes over to it and sets the dirty bit; what the snapshot led
 * to loses a holder; what only the disk holds then gets its COPIED flag back; at last the dirty bit is cleared.
 */
export async function deleteSnapshot(
  writer: ImageWriter,
  table: SnapshotTable,
  entry: SnapshotEntry,
): Promise<void> {
  const { metadata, parts } = writer;
  const { file, geometry } = parts;
  const oldTable = (await table.places()).table;
  const entries = (await table.entries()).filter((other) => other !== entry);
  await settleMetadata(metadata);
  const { l1 } = await readSnapshotL1(file, entry, geometry);
  const references = new TreeReferences(writer, storedTree(file, geometry, l1, false));
  await references.verify();
  const places = new NewPlaces(writer);
  const prepare = async () => {
    const place = await places.write('snapshot table', encodeSnapshotTable(file.path, entries));
    await commitMetadata(metadata);
    return place;
  };
  const place = await before(file, prepare, async () => {
    await places.takeBack();
    await settleMetadata(metadata);
  });
  const mark = new RepairMark(metadata);
  const change = { snapshotCount: entries.length, snapshotsOffset: place.offset, ...mark.setting };
  await decide(metadata, change, async () => {
    table.replace(entries);
    await file.inFlight.drained();
    await references.lower();
    await release(writer, entry.l1);
    if (oldTable) await release(writer, oldTable);
    await settleMetadata(metadata);
    await setCopiedByCounts(metadata, activeTree(metadata), geometry);
    await settleMetadata(metadata);
    await mark.clear();
  });
}
