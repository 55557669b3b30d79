import type { Geometry } from '../geometry.ts';
import type { L2Table } from '../mapping/l2-table.ts';
import { COPIED, clusterKind, isCopied } from '../table-entry.ts';
import type { ImageMetadata } from '../writing/metadata-commit.ts';
import { clusterReferences } from './cluster-references.ts';
import { spillTables } from './spill-tables.ts';
import type { TableTree } from './table-tree.ts';

/** Clears the COPIED flag of all entries of an L2 table in memory; says whether any was set. */
export function clearCopied(table: L2Table, { tableEntries }: Geometry): boolean {
  let changed = false;
  for (let entry = 0; entry < tableEntries; entry += 1) {
    const high = table.high(entry);
    const low = table.low(entry);
    if (!isCopied(high) || clusterKind(high, low) === 'compressed') continue;
    table.set(entry, (high & ~COPIED) >>> 0, low);
    changed = true;
  }
  return changed;
}

/**
 * Sets the COPIED flags of the disk's own tables by the refcounts, which are right (trap 26). What is changed is written
 * when it becomes much, and by the next commit.
 * @param end of the L1 entries that are looked at (default all)
 */
export async function setCopiedByCounts(
  metadata: ImageMetadata,
  tree: TableTree,
  geometry: Geometry,
  end: number = tree.l1.length,
): Promise<void> {
  const { refcounts, clusters, clusterSize } = metadata;
  const { l1, l2 } = tree;
  for (let index = 0; index < end; index += 1) {
    const offset = l1.tableOffset(index);
    if (offset === 0) continue;
    let alone = false;
    await refcounts.visit(offset / clusterSize, 1, (_, count) => {
      alone = count === 1;
    });
    if (alone !== l1.isCopied(index)) {
      l1.set(index, offset, alone);
      clusters.add(alone ? 'L2 table' : 'shared L2 table', offset, clusterSize);
    }
    // What a shared table points at is shared, too.
    if (!alone) continue;
    const table = await l2.load(index);
    let changed = false;
    for (const { first, count, entry } of clusterReferences(table, geometry)) {
      if (entry === undefined) continue;
      await refcounts.visit(first, count, (cluster, references) => {
        changed = setFlag(table, entry + cluster - first, references === 1) || changed;
      });
    }
    if (changed) l2.markDirty(table);
    await spillTables(metadata, tree);
  }
}

function setFlag(table: L2Table, entry: number, copied: boolean): boolean {
  const high = table.high(entry);
  if (isCopied(high) === copied) return false;
  table.set(entry, (copied ? high | COPIED : high & ~COPIED) >>> 0, table.low(entry));
  return true;
}
