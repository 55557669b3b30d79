import { readBitmapList } from '../bitmaps/read-bitmap-list.ts';
import { CacheBudget } from '../bounded-cache.ts';
import { type Geometry, geometryOf } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import { readL1Table } from '../mapping/l1-table.ts';
import { L2Tables } from '../mapping/l2-tables.ts';
import { SnapshotTable } from '../snapshots/snapshot-table.ts';
import { Allocator } from '../writing/allocator.ts';
import { CountedClusters } from '../writing/counted-clusters.ts';
import { metadataClaims } from '../writing/metadata-claims.ts';
import { MetadataClusters } from '../writing/metadata-clusters.ts';
import type { ImageMetadata } from '../writing/metadata-commit.ts';
import { PendingFrees } from '../writing/pending-frees.ts';
import { readRefcountTable } from '../writing/refcount-table.ts';
import { Refcounts } from '../writing/refcounts.ts';

/** Bytes of refcount blocks in memory. */
const REFCOUNT_MEMORY = 8 * 1024 ** 2;
/** Bytes of changed refcount blocks that are held back. */
const MOST_DIRTY = REFCOUNT_MEMORY / 2;

/** The refcounts of an image, and what gives clusters away, without the guest's side of it. */
export interface Bookkeeping {
  readonly geometry: Geometry;
  readonly metadata: ImageMetadata;
  readonly allocator: Allocator;
  readonly snapshots: SnapshotTable;
}

/**
 * Reads what changes of an image's structures go by, and checks that no two structures lie on one cluster.
 * @throws CalveError `corrupt`, `io`
 */
export async function openBookkeeping(file: ImageFile, header: ImageHeader): Promise<Bookkeeping> {
  const geometry = geometryOf(header.current);
  const { clusterSize } = geometry;
  const l1 = await readL1Table(file, header.current);
  const refcountTable = await readRefcountTable(file, header.current);
  const table = new SnapshotTable(file, header);
  const snapshots = await table.places();
  const bitmaps = await readBitmapList(file, header.current);
  const claims = metadataClaims({ file, header: header.current, l1, refcountTable, snapshots, bitmaps });
  const clusters = new MetadataClusters(file.path, clusterSize, claims);
  const refcounts = new Refcounts(file, geometry, refcountTable, new CacheBudget(REFCOUNT_MEMORY));
  const allocator = new Allocator(file, clusterSize, refcounts, refcountTable, clusters);
  const frees = new PendingFrees(file, clusterSize, allocator, header);
  const l2 = new L2Tables(file, l1, geometry, new CacheBudget(0));
  // Guest clusters of a data file are none of its business: here none are taken, and none released.
  const guestClusters = new CountedClusters({ file, geometry, allocator, metadata: clusters, frees });
  const metadata: ImageMetadata = {
    file,
    header,
    clusterSize,
    l1,
    l2,
    refcounts,
    refcountTable,
    clusters,
    guestClusters,
    frees,
  };
  return { geometry, metadata, allocator, snapshots: table };
}

/** Whether so much is changed in memory that it should be written. */
export function holdsMuch({ refcounts }: ImageMetadata): boolean {
  return refcounts.dirtyBytes > MOST_DIRTY;
}
