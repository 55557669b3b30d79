import { CalveError } from '../../errors/index.ts';
import type { DirtyExtent } from './dirty-extents.ts';

/** A disk with bitmaps, as a `Qcow2Disk` is one. */
export interface DiskWithBitmaps {
  /** Bytes. */
  readonly size: number;
  dirtyExtents(bitmap: string, offset: number, length: number): AsyncIterable<DirtyExtent>;
}

/** A bitmap of some disk. */
export interface BitmapSource {
  readonly disk: DiskWithBitmaps;
  readonly bitmap: string;
}

/**
 * The extents of one source after the other.
 * @param own the disk of sources that are names alone
 * @throws CalveError `usage` for a source's disk of another size, ahead of any extent; as `dirtyExtents`
 */
export async function* mergedExtents(
  own: DiskWithBitmaps,
  sources: string | BitmapSource | readonly (string | BitmapSource)[],
): AsyncGenerator<DirtyExtent> {
  const list = typeof sources === 'string' || 'bitmap' in sources ? [sources] : sources;
  const all = list.map((source) => (typeof source === 'string' ? { disk: own, bitmap: source } : source));
  for (const { disk, bitmap } of all) {
    if (disk.size === own.size) continue;
    const what = `bitmap ${JSON.stringify(bitmap)}`;
    throw new CalveError('usage', `${what}: expected a disk of ${own.size} bytes, got one of ${disk.size}`, {
      data: { bitmap, size: disk.size },
    });
  }
  for (const { disk, bitmap } of all) yield* disk.dirtyExtents(bitmap, 0, disk.size);
}
