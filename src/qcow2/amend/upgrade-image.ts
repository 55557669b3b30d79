import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import { encodeSnapshotTable } from '../snapshots/encode-snapshot-table.ts';
import { completedEntry } from '../snapshots/snapshot-entry.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';
import { upgradedHeader } from './amended-header.ts';
import { openBookkeeping } from './bookkeeping.ts';

const SNAPSHOT_TABLE = { flagged: false, punch: true };

/**
 * Makes a version 2 image one of version 3. Snapshots of old writers lack the size of their disk, which version 3 asks
 * for: their table is written anew elsewhere first, and one write of the header puts both in force.
 * @throws CalveError `corrupt`, `no-space`, `io`, `out-of-range`
 */
export async function upgradeImage(file: ImageFile, header: ImageHeader): Promise<void> {
  const { metadata, allocator, snapshots } = await openBookkeeping(file, header);
  const { clusterSize, clusters, frees } = metadata;
  const entries = await snapshots.entries();
  const old = (await snapshots.places()).table;
  if (!old || entries.every(({ diskSize }) => diskSize !== undefined)) {
    await header.replace(upgradedHeader(header.current));
    await file.barrier();
    return;
  }
  const { size } = header.current;
  const completed = entries.map((entry) => completedEntry(entry, size));
  const table = encodeSnapshotTable(file.path, completed);
  const place = await allocator.takeFor('snapshot table', Math.ceil(table.length / clusterSize));
  clusters.checkMetadata('snapshot table', place.offset, place.length);
  const padded = new Uint8Array(place.length);
  padded.set(table);
  await file.write(padded, place.offset);
  await settleMetadata(metadata);
  await header.replace({ ...upgradedHeader(header.current), snapshotsOffset: place.offset });
  await file.barrier();
  frees.add(old.offset, old.length, SNAPSHOT_TABLE);
  await settleMetadata(metadata);
}
