import type { Disk } from '../../../disk/index.ts';
import { findSnapshot, type SnapshotParameter } from '../converting/snapshot-parameter.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from './block-node.ts';

/**
 * An image as it was when a snapshot was taken.
 * @throws CalveError in qemu-img's words
 */
export async function openSnapshot({ qcow2, driver }: BlockNode, wanted: SnapshotParameter): Promise<Disk> {
  if (qcow2 === undefined) {
    throw imgError(
      `Failed to load snapshot: Block format '${driver}' used by device '' does not support temporarily loading internal snapshots`,
    );
  }
  const found = findSnapshot(await qcow2.snapshots(), wanted);
  if (found === undefined) throw imgError("Failed to load snapshot: Can't find snapshot");
  return qcow2.openSnapshot(found.id);
}
