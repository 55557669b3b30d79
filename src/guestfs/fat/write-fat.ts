import type { WritableDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { TreeChange } from '../tree-change.ts';
import { parseBootSector } from './boot-sector.ts';
import { ClusterAllocator } from './cluster-allocator.ts';
import { FatTable } from './fat-table.ts';
import { FatWriter, type WriteFatOptions } from './fat-writer.ts';
import { readFsInfo, writeFsInfo } from './fs-info.ts';
import { readBootSector } from './open-fat.ts';

const DIRTY = 1;

/**
 * Changes files of a FAT12, FAT16 or FAT32 file system that nobody has mounted, and flushes. Each step writes what is
 * new ahead of what leads to it, so that one that was cut off leaves lost clusters at worst; the steps before one that
 * fails have happened.
 *
 * FAT keeps no owners and no modes but for read-only, times of changes in steps of 2 seconds and of reading in days:
 * what it has no place for is left out.
 *
 * @param disk the file system, whole; stays open
 * @throws CalveError `unsupported` for a symlink, a name or a size that FAT cannot hold; `exists` for a name that is
 * another's, or of another type; `not-found`; `no-space` before anything leads to the file; `corrupt`; `aborted`
 */
export async function writeFat(
  disk: WritableDisk,
  changes: AsyncIterable<TreeChange>,
  options: WriteFatOptions = {},
): Promise<void> {
  const sector = await readBootSector(disk, 0);
  const layout = parseBootSector(sector, disk.size);
  const table = new FatTable(disk, layout);
  const fsInfo = await readFsInfo(disk, layout.fsInfoOffset);
  const allocator = new ClusterAllocator(table, fsInfo?.next ?? 0);
  const writer = new FatWriter({ disk, layout, table, allocator }, options);

  const state = sector.readUInt8(layout.stateOffset);
  await disk.write(Buffer.from([state | DIRTY]), layout.stateOffset);
  for await (const change of changes) {
    if (options.signal?.aborted === true)
      throw new CalveError('aborted', 'writing into the FAT file system was ended');
    await writer.apply(change);
  }
  if (fsInfo !== undefined) {
    const free = fsInfo.free === null ? null : fsInfo.free - allocator.taken;
    const isSound = free !== null && free >= 0 && free <= layout.clusters;
    await writeFsInfo(disk, { ...fsInfo, free: isSound ? free : null, next: allocator.next });
  }
  // One that was not shut down before is not sound now either.
  await disk.write(Buffer.from([state]), layout.stateOffset);
  await disk.flush();
}
