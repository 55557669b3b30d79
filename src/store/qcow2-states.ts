import { basename } from 'node:path';
import { type Disk, type Extent, extentsOf } from '../disk/index.ts';
import { Qcow2Disk, type Snapshot } from '../qcow2/index.ts';
import { currentState, type ImportState } from './import-state.ts';
import { mappedExtents } from './mapped-extents.ts';

/** An image of a chain that is open. */
export interface NamedImage {
  readonly path: string;
  readonly disk: Disk;
}

/**
 * What becomes a version each: the images of a chain, base first, and before each image its internal snapshots, the
 * oldest first.
 */
export async function statesOf(
  images: readonly NamedImage[],
  withSnapshots: boolean,
): Promise<{ readonly states: ImportState[]; readonly warnings: string[] }> {
  const states: ImportState[] = [];
  const warnings: string[] = [];
  for (const { path, disk } of images) {
    if (!(disk instanceof Qcow2Disk)) {
      states.push(currentState(path, disk, (opened) => extentsOf(opened, 0, opened.size)));
      continue;
    }
    const { snapshotCount } = disk.header;
    if (snapshotCount > 0 && !withSnapshots) {
      warnings.push(`${path} has ${snapshotCount} internal snapshots; only its current state was imported`);
    }
    const snapshots = withSnapshots && snapshotCount > 0 ? oldestFirst(await disk.snapshots()) : [];
    let before: Snapshot | undefined;
    for (const snapshot of snapshots) {
      if (snapshot.vmStateSize > 0) warnings.push(vmStateLost(path, snapshot));
      states.push(snapshotState(path, disk, snapshot, before));
      before = snapshot;
    }
    states.push(currentState(path, disk, () => rangesSince(disk, before)));
  }
  return { states, warnings };
}

function snapshotState(
  path: string,
  image: Qcow2Disk,
  snapshot: Snapshot,
  before: Snapshot | undefined,
): ImportState {
  return {
    from: basename(path),
    size: snapshot.diskSize,
    message: snapshot.name,
    created: snapshot.date.toISOString(),
    open: () => image.openSnapshot(snapshot.id),
    ranges: (disk) =>
      before === undefined
        ? ownExtentsOf(disk, image.backing !== null)
        : image.snapshotExtents(before.id, snapshot.id),
  };
}

function rangesSince(image: Qcow2Disk, before: Snapshot | undefined): AsyncIterable<Extent> {
  if (before !== undefined) return image.snapshotExtents(before.id);
  return image.backing === null ? image.extents(0, image.size) : mappedExtents(image);
}

/** Of a snapshot over a backing file, what the snapshot itself says something of. */
async function* ownExtentsOf(disk: Disk, overBacking: boolean): AsyncGenerator<Extent> {
  for await (const extent of extentsOf(disk, 0, disk.size)) {
    if (!overBacking || (extent.depth === 0 && extent.kind !== 'unallocated')) yield extent;
  }
}

/** Snapshots of one time keep the order of the table, in which they were made. */
function oldestFirst(snapshots: readonly Snapshot[]): Snapshot[] {
  return [...snapshots].sort((a, b) => a.date.getTime() - b.date.getTime());
}

function vmStateLost(path: string, { name, vmStateSize }: Snapshot): string {
  const what = `the state of a running machine (${vmStateSize} bytes)`;
  return `${path}: snapshot ${JSON.stringify(name)} holds ${what}, which was not imported; its disk was`;
}
