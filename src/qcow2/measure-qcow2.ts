import { ENTRY_FIELDS_BYTES } from './bitmaps/bitmap-fields.ts';
import type { BitmapInfo } from './bitmaps/bitmap-list.ts';
import { bitmapSize } from './bitmaps/bitmap-size.ts';
import { layOutImage } from './creating/image-layout.ts';
import { type ImageOptions, settleOptions } from './creating/image-options.ts';
import type { LuksOptions } from './encryption/index.ts';

/** The image that is measured. */
export interface MeasureOptions
  extends Omit<
    ImageOptions,
    'preallocation' | 'backingFile' | 'backingFormat' | 'dataFile' | 'dataFileRaw' | 'encryption'
  > {
  /** How it is to be encrypted with LUKS (default not). */
  readonly luks?: LuksOptions | undefined;
}

/**
 * The file's length once every cluster of the disk has been written, in bytes: snapshots and bitmaps not counted.
 * @throws CalveError `out-of-range`, `usage` as `createQcow2`
 */
export async function fullyAllocatedSize({ luks, ...options }: MeasureOptions): Promise<number> {
  const settled = settleOptions({ ...options, preallocation: 'metadata' });
  const { clusters } = layOutImage(settled, luks === undefined ? 0 : await areaLength(luks));
  return clusters * settled.clusterSize;
}

async function areaLength(luks: LuksOptions): Promise<number> {
  const { luksAreaLength } = await import('./encryption/luks-area-length.ts');
  return luksAreaLength(luks);
}

/** What bitmaps take in an image for a disk of `diskSize` bytes: their bits, tables and directory. */
export function bitmapsSize(
  bitmaps: readonly Pick<BitmapInfo, 'name' | 'granularity' | 'inconsistent'>[],
  diskSize: number,
  clusterSize: number,
): number {
  const inClusters = (bytes: number) => Math.ceil(bytes / clusterSize) * clusterSize;
  let [sum, directory] = [0, 0];
  for (const { name, granularity, inconsistent } of bitmaps) {
    if (inconsistent) continue;
    const { bytes, tableEntries } = bitmapSize(diskSize, Math.log2(granularity), clusterSize);
    sum += inClusters(bytes) + inClusters(tableEntries * 8);
    directory += Math.ceil((ENTRY_FIELDS_BYTES + Buffer.byteLength(name)) / 8) * 8;
  }
  return sum + inClusters(directory);
}
