import type { ImageFile } from '../image-file.ts';
import type { SnapshotPlaces } from '../writing/snapshot-table.ts';
import { decodeSnapshotTable, type SnapshotEntry } from './snapshot-entry.ts';

/** The entries of the snapshot table, whose place shows that it was read before and found to be right. */
export async function readSnapshotTable(
  file: ImageFile,
  { table }: SnapshotPlaces,
): Promise<SnapshotEntry[]> {
  if (!table) return [];
  const bytes = Buffer.alloc(table.length);
  await file.read(bytes, table.offset);
  return decodeSnapshotTable(bytes);
}
