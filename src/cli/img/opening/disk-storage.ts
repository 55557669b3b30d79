import type { ImageStorage } from '../../../qcow2/index.ts';
import type { BlockNode } from './block-node.ts';
import { writableDisk } from './writable-disk.ts';

/**
 * A disk as what an image lies in: a qcow2 image inside of another image, or on an NBD server. Where the disk cannot grow,
 * neither can the image.
 */
export function diskStorage(node: BlockNode): ImageStorage {
  const { disk } = node;
  return {
    path: node.filename,
    stat: () => ({ size: disk.size }),
    async read(into, offset) {
      const there = Math.max(0, Math.min(into.length, disk.size - offset));
      if (there > 0) await disk.read(into.subarray(0, there), offset);
      return there;
    },
    readCached: (into, offset) =>
      offset + into.length <= disk.size && (disk.tryRead?.(into, offset) ?? false),
    async write(from, offset) {
      const target = writableDisk(disk);
      const end = offset + from.length;
      if (end > disk.size) await target.resize?.(Math.ceil(end / SECTOR) * SECTOR);
      await target.write(from, offset);
    },
    datasync: () => writableDisk(disk).flush(),
    punchHole: () => false,
    ...('resize' in disk && { truncate: (size: number) => growOrCut(node, size) }),
    close: () => disk.close(),
  };
}

const SECTOR = 512;

async function growOrCut({ disk }: BlockNode, size: number): Promise<void> {
  await writableDisk(disk).resize?.(Math.ceil(size / SECTOR) * SECTOR);
}
