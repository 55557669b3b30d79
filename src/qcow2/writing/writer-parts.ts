import type { RangeLocks } from '../../disk/index.ts';
import type { Geometry } from '../geometry.ts';
import type { ImageFile } from '../image-file.ts';
import type { ClusterMap } from '../mapping/cluster-map.ts';
import type { ClusterReader } from '../mapping/cluster-reader.ts';
import type { GuestData } from '../mapping/guest-data.ts';
import type { Allocator } from './allocator.ts';
import type { GuestClusters } from './guest-clusters.ts';
import type { MetadataClusters } from './metadata-clusters.ts';
import type { Mutex } from './mutex.ts';
import type { PendingFrees } from './pending-frees.ts';
import type { WritableTables } from './writable-tables.ts';

/** What all that writes to one image works on. */
export interface WriterParts {
  readonly file: ImageFile;
  readonly data: GuestData;
  readonly guestClusters: GuestClusters;
  /** What reads zeros must be zeros in the data file too, which is read without the image (trap 22). */
  readonly rawDataFile: ImageFile | undefined;
  readonly geometry: Geometry;
  readonly map: ClusterMap;
  readonly reader: ClusterReader;
  /** Whether the header names a backing file, also where it was left aside at opening. */
  readonly namesBacking: boolean;
  readonly metadata: MetadataClusters;
  readonly allocator: Allocator;
  readonly frees: PendingFrees;
  readonly tables: WritableTables;
  /** Held while tables and refcounts in memory are changed, and while they are written. */
  readonly mutex: Mutex;
  /**
   * Of guest clusters, by number: held by whoever gives some a new place. Who only reads, or writes where they lie
   * already, does not wait for it.
   */
  readonly locks: RangeLocks;
  /** Under the mutex, ahead of a change: writes what was changed before, when it has become much. */
  readonly makeRoom: () => Promise<void>;
}
