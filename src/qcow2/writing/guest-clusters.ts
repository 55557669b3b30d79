import type { L2Table } from '../mapping/l2-table.ts';

/** Host clusters in a row that are about to hold guest clusters. */
export interface TakenClusters {
  /** Offset of the first, in the file that holds guest data. */
  readonly host: number;
  readonly count: number;
  /** They were never used, so that the file reads zeros there. */
  readonly fresh: boolean;
}

/**
 * Where guest clusters get their host clusters from, and where these go: `CountedClusters` of the image file, or
 * `DataFileClusters`. Members run one at a time, under the writer's mutex, but for `check`.
 */
export interface GuestClusters {
  /** Host clusters for guest clusters from `guest` on: at least one, at most `atMost`. */
  take(guest: number, atMost: number): Promise<TakenClusters>;
  /** After a failure: nothing points at the clusters, neither in memory nor on disk. */
  giveBack(taken: TakenClusters): Promise<void>;
  /**
   * @param hasData what an L2 entry names has data already, and so lies in the file
   * @throws CalveError `corrupt` when a range that an L2 entry names cannot be one of guest data
   */
  check(host: number, length: number, hasData: boolean): void;
  /**
   * Takes out of use what an L2 entry names, because the entry is about to say something else; it stays as it is until
   * the tables that do not name it any more are durable (trap 24).
   * @param storage whether the host gets the storage back
   */
  release(table: L2Table, entry: number, storage: 'kept' | 'punched'): void;
  /** How many clusters wait for `settle`. */
  readonly waiting: number;
  /** A file of guest data alone becomes as long as the disk: no longer than it was, or with zeros at the end. Durable. */
  resize(size: number): Promise<void>;
  /** Guest data is durable, if it lies in a file of its own; data in the image file waits for that file's barriers. */
  barrier(): Promise<void>;
  /** To be called when the tables are durable. */
  settle(): Promise<void>;
}
