import type { ImageMetadata } from '../writing/metadata-commit.ts';
import type { TableTree } from './table-tree.ts';
import { writeTables } from './write-tables.ts';

/** Bytes of changed tables that are kept in memory. */
const MOST_BYTES = 8 * 1024 ** 2;

/** Writes changed refcounts, and changed L2 tables of a tree, when they have become much. */
export async function spillTables(
  metadata: ImageMetadata,
  tree: TableTree,
  beforeWriting: () => Promise<void> = async () => {},
): Promise<void> {
  if (metadata.refcounts.dirtyBytes + tree.l2.dirtyBytes < MOST_BYTES) return;
  await beforeWriting();
  await writeTables(metadata, tree);
}
