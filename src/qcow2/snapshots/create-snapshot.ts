import type { ImageWriter } from '../writing/image-writer.ts';
import { commitMetadata } from '../writing/metadata-commit.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { clearCopied, setCopiedByCounts } from './copied-flags.ts';
import { encodeSnapshotTable } from './encode-snapshot-table.ts';
import { NewPlaces, release } from './new-places.ts';
import { RepairMark } from './repair-mark.ts';
import { newSnapshotEntry, type SnapshotEntry } from './snapshot-entry.ts';
import { type CreateSnapshotOptions, snapshotLabels } from './snapshot-labels.ts';
import type { SnapshotTable } from './snapshot-table.ts';
import { activeTree } from './table-tree.ts';
import { TreeReferences } from './tree-references.ts';
import { before, decide } from './turning-point.ts';
import { writeTables } from './write-tables.ts';

/**
 * Makes a snapshot of the disk as it is: everything that the active tables lead to gets a second holder, the snapshot's
 * L1 table, and so loses its COPIED flag. While nothing else changes the image.
 *
 * The order, with barriers in between: dirty bit; refcounts and flags; the snapshot's L1 table and a new snapshot table;
 * the header, which names the new table and clears the dirty bit in one write; then the old table is freed.
 */
export async function createSnapshot(
  writer: ImageWriter,
  table: SnapshotTable,
  options: CreateSnapshotOptions,
): Promise<SnapshotEntry> {
  const { metadata, parts } = writer;
  const { file, geometry } = parts;
  const { l1, clusters, clusterSize } = metadata;
  const old = await table.entries();
  const oldTable = (await table.places()).table;
  const labels = snapshotLabels(file.path, old, options);
  await settleMetadata(metadata);
  const tree = activeTree(metadata);
  const references = new TreeReferences(writer, tree);
  const places = new NewPlaces(writer);
  const mark = new RepairMark(metadata);
  let reached = 0;
  const prepare = async () => {
    await references.raise(
      (l2Table) => {
        reached = l2Table.index + 1;
        return clearCopied(l2Table, geometry);
      },
      () => mark.set(),
    );
    await mark.set();
    await writeTables(metadata, tree);
    for (let index = 0; index < l1.length; index += 1) {
      const offset = l1.tableOffset(index);
      if (!l1.isCopied(index)) continue;
      l1.set(index, offset, false);
      clusters.add('shared L2 table', offset, clusterSize);
    }
    const l1Copy = await places.write('L1 table of a snapshot', l1.encoded());
    const entry = newSnapshotEntry(labels, geometry.size, l1Copy);
    const entries = [...old, entry];
    const { offset } = await places.write('snapshot table', encodeSnapshotTable(file.path, entries));
    await commitMetadata(metadata);
    return { entry, entries, offset };
  };
  const { entry, entries, offset } = await before(file, prepare, async () => {
    await references.takeBack();
    await places.takeBack();
    await setCopiedByCounts(metadata, tree, geometry, reached);
    await settleMetadata(metadata);
    await mark.clear();
  });
  const change = { snapshotCount: entries.length, snapshotsOffset: offset, ...mark.clearing };
  await decide(metadata, change, async () => {
    table.replace(entries);
    if (oldTable) await release(writer, oldTable);
    await settleMetadata(metadata);
  });
  return entry;
}
