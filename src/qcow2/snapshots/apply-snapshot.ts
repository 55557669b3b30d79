import { L1Table } from '../mapping/l1-table.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { commitMetadata } from '../writing/metadata-commit.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { clearCopied } from './copied-flags.ts';
import { NewPlaces, release } from './new-places.ts';
import { readSnapshotL1 } from './read-snapshot-l1.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';
import { activeTree, storedTree } from './table-tree.ts';
import { TreeReferences } from './tree-references.ts';
import { before, decide } from './turning-point.ts';
import { writeTables } from './write-tables.ts';

/**
 * Makes the disk what it was when a snapshot was taken, its size and a VM's state included. While nothing else changes
 * the image.
 *
 * Everything that the snapshot's tables lead to gets one more holder, a new active L1 table; one write of the header goes
 * over to it; then what the old one led to loses a holder. The new table's entries have COPIED clear, and rightly so:
 * all that they lead to is the snapshot's as well. So a crash costs leaks at worst, and no dirty bit is needed.
 */
export async function applySnapshot(writer: ImageWriter, entry: SnapshotEntry): Promise<void> {
  const { metadata, parts } = writer;
  const { file, geometry } = parts;
  const { l1, l2, clusters, clusterSize } = metadata;
  await settleMetadata(metadata);
  // What is about to be let go must be right, too: afterwards there is no way back.
  await new TreeReferences(writer, activeTree(metadata)).verify();
  const { size, l1: next } = await readSnapshotL1(file, entry, geometry);
  const tree = storedTree(file, geometry, next, false);
  const references = new TreeReferences(writer, tree);
  const places = new NewPlaces(writer);
  const prepare = async () => {
    await references.raise(
      (l2Table) => clearCopied(l2Table, geometry),
      async () => {},
    );
    await writeTables(metadata, tree);
    const place = await places.write('L1 table', next.encoded());
    await commitMetadata(metadata);
    return place;
  };
  const place = await before(file, prepare, async () => {
    await references.takeBack();
    await places.takeBack();
    await settleMetadata(metadata);
  });
  const change = {
    l1Offset: place.offset,
    l1Size: next.length,
    // A size that ends inside a sector is left as it is where it stays.
    ...(size === geometry.size ? {} : { size }),
  };
  await decide(metadata, change, async () => {
    const left = new L1Table(l1.encoded(), l1.offset);
    l1.replace(next.encoded(), place.offset);
    l2.forget();
    geometry.size = size;
    for (let index = 0; index < next.length; index += 1) {
      const offset = next.tableOffset(index);
      if (offset !== 0) clusters.add('shared L2 table', offset, clusterSize);
    }
    await file.inFlight.drained();
    await new TreeReferences(writer, storedTree(file, geometry, left, true)).lower();
    await release(writer, { offset: left.offset, length: left.encoded().length });
    await settleMetadata(metadata);
  });
}
