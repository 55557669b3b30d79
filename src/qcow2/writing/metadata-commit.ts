import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { L1Table } from '../mapping/l1-table.ts';
import type { L2Tables } from '../mapping/l2-tables.ts';
import type { GuestClusters } from './guest-clusters.ts';
import type { MetadataClusters } from './metadata-clusters.ts';
import type { PendingFrees } from './pending-frees.ts';
import type { RefcountTable } from './refcount-table.ts';
import type { Refcounts } from './refcounts.ts';

/** Everything of an image's metadata that is changed in memory first. */
export interface ImageMetadata {
  readonly file: ImageFile;
  readonly header: ImageHeader;
  readonly clusterSize: number;
  readonly l1: L1Table;
  readonly l2: L2Tables;
  readonly refcounts: Refcounts;
  readonly refcountTable: RefcountTable;
  readonly clusters: MetadataClusters;
  readonly guestClusters: GuestClusters;
  readonly frees: PendingFrees;
}

const NOTHING_LEFT = { flagged: false, punch: false };

/**
 * Writes changed metadata, in the one order that leaves the image sound wherever a crash cuts it (traps 23 to 25, 34):
 *
 * 1. refcount blocks, then the refcount table's entries for new ones, or a new table and the header that names it
 * 2. L2 tables, after guest data (in whatever file it lies) and refcounts are durable: an entry never points at a cluster that counts as free, nor
 *    at one whose copied bytes may still be lost
 * 3. L1 entries, after the L2 tables that they name are durable
 * 4. and only when all that is durable, in memory, the refcounts of what nothing points at any more; they are written
 *    as part of step 1 of the next time
 *
 * A crash in between leaves clusters that count as used without being so, never the other way round. Blocks and tables
 * may be torn at any sector: each entry is right both as it was and as it is going to be.
 *
 * To be called under the writer's mutex, so that nothing changes meanwhile. When it resolves, all guest data and
 * metadata written before is durable.
 */
export async function commitMetadata(image: ImageMetadata): Promise<void> {
  await writeRefcounts(image);
  await commitTables(image);
}

/**
 * As `commitMetadata`, without step 1 where the image's refcounts are lazy (specification, "Header", compatible_features
 * bit 0): they stay in memory for a full commit to write. Before anything on disk relies on them, the dirty bit is
 * there: whoever opens the image after a crash rebuilds them first (trap 10).
 */
export async function commitLazily(image: ImageMetadata): Promise<void> {
  if (!image.header.current.compatible.has('lazy refcounts')) return commitMetadata(image);
  if (isDirty(image)) await markDirty(image);
  await commitTables(image);
}

/** Clears the dirty bit of an image with lazy refcounts. Nothing is left to commit. */
export async function markClean({ header, file }: ImageMetadata): Promise<void> {
  const { incompatible } = header.current;
  if (!incompatible.has('dirty')) return;
  await file.barrier();
  await header.patch({ incompatible: new Set([...incompatible].filter((feature) => feature !== 'dirty')) });
  await file.barrier();
}

/** Whether there is anything to commit. */
export function isDirty(image: ImageMetadata): boolean {
  const { l1, l2, refcounts, refcountTable, frees, guestClusters } = image;
  const tables = l1.dirty || l2.dirty || refcounts.dirtyBytes > 0 || refcountTable.dirty;
  return tables || !frees.empty || guestClusters.waiting > 0;
}

async function commitTables(image: ImageMetadata): Promise<void> {
  const { file, l1, l2, frees, guestClusters } = image;
  await guestClusters.barrier();
  if (l2.dirty || l1.dirty) {
    await file.barrier();
    await l2.write((table) => image.clusters.checkMetadata('L2 table', table.offset, image.clusterSize));
    if (l1.dirty) {
      await file.barrier();
      await l1.write(file);
    }
  }
  await file.barrier();
  await frees.apply();
  await guestClusters.settle();
}

async function markDirty({ header, file }: ImageMetadata): Promise<void> {
  const { incompatible } = header.current;
  if (incompatible.has('dirty')) return;
  await header.patch({ incompatible: new Set([...incompatible, 'dirty' as const]) });
  await file.barrier();
}

async function writeRefcounts(image: ImageMetadata): Promise<void> {
  const { file, header, clusterSize, refcounts, refcountTable, clusters, frees } = image;
  await refcounts.write((offset) => clusters.checkMetadata('refcount block', offset, clusterSize));
  if (!refcountTable.dirty) return;
  await file.barrier();
  const { offset, length } = refcountTable.place;
  clusters.checkMetadata('refcount table', offset, length);
  await refcountTable.write(file);
  if (!refcountTable.moved) return;
  await file.barrier();
  await header.patch({ refcountTableOffset: offset, refcountTableClusters: length / clusterSize });
  for (const left of refcountTable.settle()) frees.add(left.offset, left.length, NOTHING_LEFT);
}
