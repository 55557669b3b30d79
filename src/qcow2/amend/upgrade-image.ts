import { CalveError } from '../../errors/index.ts';
import { MAX_SNAPSHOT_TABLE_BYTES } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import { upgradedHeader } from './amended-header.ts';
import { openBookkeeping, settle } from './bookkeeping.ts';
import { readSnapshotTable } from './read-snapshot-table.ts';
import { completedEntry, encodeSnapshotTable, isComplete } from './snapshot-entry.ts';

const SNAPSHOT_TABLE = { flagged: false, punch: true };

/**
 * Makes a version 2 image one of version 3. Snapshots of old writers lack the size of their disk, which version 3 asks
 * for: their table is written anew elsewhere first, and one write of the header puts both in force.
 * @throws CalveError `corrupt`, `no-space`, `io`, `out-of-range`
 */
export async function upgradeImage(file: ImageFile, header: ImageHeader): Promise<void> {
  const { metadata, allocator, snapshots } = await openBookkeeping(file, header);
  const { clusterSize, clusters, frees } = metadata;
  const entries = await readSnapshotTable(file, snapshots);
  if (!snapshots.table || entries.every(isComplete)) {
    await header.replace(upgradedHeader(header.current));
    await file.barrier();
    return;
  }
  const { size } = header.current;
  const table = encodeSnapshotTable(entries.map((entry) => completedEntry(entry, size)));
  if (table.length > MAX_SNAPSHOT_TABLE_BYTES) {
    const most = MAX_SNAPSHOT_TABLE_BYTES;
    throw new CalveError(
      'out-of-range',
      `${file.path}: expected a snapshot table of at most ${most} bytes, got ${table.length}`,
      { hint: `qemu-img snapshot -d NAME ${file.path}`, data: { path: file.path } },
    );
  }
  const place = await allocator.takeFor('snapshot table', Math.ceil(table.length / clusterSize));
  clusters.checkMetadata('snapshot table', place.offset, place.length);
  const padded = new Uint8Array(place.length);
  padded.set(table);
  await file.write(padded, place.offset);
  await settle(metadata);
  await header.replace({ ...upgradedHeader(header.current), snapshotsOffset: place.offset });
  await file.barrier();
  frees.add(snapshots.table.offset, snapshots.table.length, SNAPSHOT_TABLE);
  await settle(metadata);
}
