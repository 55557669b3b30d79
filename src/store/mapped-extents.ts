import type { Extent } from '../disk/index.ts';
import type { Qcow2Disk } from '../qcow2/index.ts';

/**
 * The extents of which an image itself, not what it stands on, says something: data, or zeros. In order. Costs what
 * the image maps, however large and deep its base is.
 */
export async function* mappedExtents(disk: Qcow2Disk): AsyncGenerator<Extent> {
  for await (const extent of disk.ownExtents(0, disk.size)) if (extent.kind !== 'unallocated') yield extent;
}
