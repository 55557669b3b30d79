/** What the size of a disk and a granularity make of a bitmap. */
export interface BitmapSize {
  readonly bits: number;
  readonly bytes: number;
  /** Entries of its bitmap table. */
  readonly tableEntries: number;
}

/** Section "Bitmaps": a bit for each part of the disk, the last of which may be shorter; a table entry a cluster. */
export function bitmapSize(diskSize: number, granularityBits: number, clusterSize: number): BitmapSize {
  const bits = Math.ceil(diskSize / 2 ** granularityBits);
  const bytes = Math.ceil(bits / 8);
  return { bits, bytes, tableEntries: Math.ceil(bytes / clusterSize) };
}
