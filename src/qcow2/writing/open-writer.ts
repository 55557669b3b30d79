import { RangeLocks } from '../../disk/index.ts';
import type { BitmapList } from '../bitmaps/bitmap-list.ts';
import { BitmapPages } from '../bitmaps/bitmap-pages.ts';
import { BitmapWriter } from '../bitmaps/bitmap-writer.ts';
import type { ChainBudgets } from '../chain.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { ClusterMap } from '../mapping/cluster-map.ts';
import type { ClusterReader } from '../mapping/cluster-reader.ts';
import type { GuestData } from '../mapping/guest-data.ts';
import type { L1Table } from '../mapping/l1-table.ts';
import type { L2Tables } from '../mapping/l2-tables.ts';
import type { SnapshotTable } from '../snapshots/snapshot-table.ts';
import { Allocator } from './allocator.ts';
import { CountedClusters } from './counted-clusters.ts';
import { DataFileClusters } from './data-file-clusters.ts';
import type { DetectZeroes } from './detect-zeroes.ts';
import { ImageWriter } from './image-writer.ts';
import { metadataClaims } from './metadata-claims.ts';
import { MetadataClusters } from './metadata-clusters.ts';
import { commitMetadata, type ImageMetadata } from './metadata-commit.ts';
import { Mutex } from './mutex.ts';
import { PendingFrees } from './pending-frees.ts';
import { readRefcountTable } from './refcount-table.ts';
import { Refcounts } from './refcounts.ts';
import { WritableTables } from './writable-tables.ts';

/** Runs of clusters that wait to be freed, at most: some megabytes of them. */
const MOST_FREES = 65_536;

/** An image that is open for reading, and is going to be written. */
export interface OpenImage {
  readonly file: ImageFile;
  readonly data: GuestData;
  /** Where guest data lies, if it is not the image file. */
  readonly dataFile: ImageFile | undefined;
  readonly header: ImageHeader;
  readonly l1: L1Table;
  readonly l2: L2Tables;
  readonly map: ClusterMap;
  readonly reader: ClusterReader;
  readonly snapshots: SnapshotTable;
  readonly budgets: ChainBudgets;
  readonly bitmaps: BitmapList;
  readonly detectZeroes: DetectZeroes;
}

/**
 * Reads what writing takes, and checks that no two structures lie on one cluster. Then, as the first write, clears the
 * autoclear bits of what is not kept up here: all but those of bitmaps and of a raw data file (traps 4 and 32).
 * @throws CalveError `corrupt`, `io`
 */
export async function openWriter(image: OpenImage): Promise<ImageWriter> {
  const { file, l1, l2, map, budgets, bitmaps } = image;
  if (bitmaps.problem) throw bitmaps.problem;
  const header = image.header.current;
  const { geometry } = map;
  const { clusterSize } = geometry;
  const refcountTable = await readRefcountTable(file, header);
  const snapshots = await image.snapshots.places();
  const claims = metadataClaims({ file, header, l1, refcountTable, snapshots, bitmaps });
  const clusters = new MetadataClusters(file.path, clusterSize, claims);
  const refcounts = new Refcounts(file, geometry, refcountTable, budgets.refcounts);
  const allocator = new Allocator(file, clusterSize, refcounts, refcountTable, clusters);
  const frees = new PendingFrees(file, clusterSize, allocator, image.header);
  const guestClusters = image.dataFile
    ? new DataFileClusters(image.dataFile, file, geometry)
    : new CountedClusters({ file, geometry, allocator, metadata: clusters, frees });
  const metadata: ImageMetadata = {
    file,
    header: image.header,
    clusterSize,
    l1,
    l2,
    refcounts,
    refcountTable,
    clusters,
    guestClusters,
    frees,
  };
  // A backing file would show through where the data file alone has zeros: no raw data file then.
  const keepsRaw =
    image.dataFile !== undefined &&
    header.backingFile === undefined &&
    header.autoclear.has('raw external data');
  const keptUp = [...header.autoclear].filter((feature) => {
    return feature === 'bitmaps'
      ? bitmaps.directory !== undefined
      : feature === 'raw external data' && keepsRaw;
  });
  if (keptUp.length < header.autoclear.size) {
    await image.header.patch({ autoclear: new Set(keptUp) });
    await file.barrier();
  }
  const mutex = new Mutex();
  const bitmapWriter = new BitmapWriter({
    file,
    header: image.header,
    geometry,
    list: bitmaps,
    pages: new BitmapPages(file, clusterSize),
    allocator,
    clusters,
    frees,
    mutex,
    commit: () => commitMetadata(metadata),
  });
  return new ImageWriter(
    {
      file,
      data: image.data,
      guestClusters,
      rawDataFile: keepsRaw ? image.dataFile : undefined,
      geometry,
      map,
      reader: image.reader,
      namesBacking: header.backingFile !== undefined,
      metadata: clusters,
      allocator,
      frees,
      tables: new WritableTables(l1, l2, clusterSize, allocator, frees),
      mutex,
      locks: new RangeLocks(),
      makeRoom: async () => {
        const much =
          l2.dirtyBytes > budgets.tables.limit / 2 ||
          refcounts.dirtyBytes > budgets.refcounts.limit / 2 ||
          frees.length + guestClusters.waiting > MOST_FREES;
        if (much) await commitMetadata(metadata);
      },
    },
    metadata,
    bitmapWriter,
    image.detectZeroes,
  );
}
