import type { BlockNode } from '../opening/block-node.ts';

/**
 * Whether an image is taken for one whose clusters got their places before they were written, so that its file's holes are
 * worth looking for: its file takes less storage than its length by more than a tenth, and by two clusters. QEMU counts
 * the clusters in use to the same end.
 */
export function isPreallocated({ qcow2, file, dataFile }: BlockNode): boolean {
  if (qcow2 === undefined) return false;
  const stat = file?.hostFile?.stat();
  if (stat === undefined) return false;
  if (dataFile !== undefined) return qcow2.header.autoclear.has('raw external data');
  const { clusterSize } = qcow2.header;
  const stored = Math.floor(stat.allocated / clusterSize);
  const inUse = Math.ceil(stat.size / clusterSize);
  return inUse >= Math.max(Math.floor((stored * 10) / 9), stored + 2);
}
