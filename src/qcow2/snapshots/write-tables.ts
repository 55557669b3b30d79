import type { ImageMetadata } from '../writing/metadata-commit.ts';
import type { TableTree } from './table-tree.ts';

/**
 * Writes changed refcounts, and the changed L2 tables of a tree. In no order: to be used where COPIED flags and refcounts
 * may disagree for a while.
 */
export async function writeTables(metadata: ImageMetadata, tree: TableTree): Promise<void> {
  const { refcounts, clusters, clusterSize } = metadata;
  await refcounts.write((offset) => clusters.checkMetadata('refcount block', offset, clusterSize));
  await tree.l2.write(({ index, offset }) => {
    const own = tree.own && tree.l1.isCopied(index);
    // The tables that only snapshots lead to are not in the list of metadata.
    if (own || clusters.kindOf(offset / clusterSize) !== undefined) {
      clusters.checkMetadata(own ? 'L2 table' : 'shared L2 table', offset, clusterSize);
    }
  });
}
