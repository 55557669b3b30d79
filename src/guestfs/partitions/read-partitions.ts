import type { Disk } from '../../disk/index.ts';
import type { FileSystemKind } from '../file-system-kind.ts';
import { identify } from '../identify.ts';
import { gptPartitions } from './gpt.ts';
import { MBR_SECTOR, mbrPartitions, parseMbr } from './mbr.ts';
import type { Partition } from './partition.ts';

/** What fills a disk whose sector 0 may look like a partition table. */
const WHOLE: readonly FileSystemKind[] = ['fat', 'exfat', 'ntfs', 'iso9660'];

/**
 * The partitions of a disk, by their place on it; undefined when it has no partition table.
 *
 * What sector 0 of a disk without one holds may look like a table: a boot sector of FAT, exFAT or NTFS is told by its own
 * marks, and an ISO image that also starts from a stick (which has both) is taken for what it is as a whole.
 *
 * @throws CalveError `corrupt`
 */
export async function readPartitions(disk: Disk): Promise<Partition[] | undefined> {
  if (disk.size < 2 * MBR_SECTOR) return undefined;
  const sector = Buffer.alloc(MBR_SECTOR);
  await disk.read(sector, 0);
  const mbr = parseMbr(sector);
  if (mbr === undefined) return undefined;
  const { kind } = await identify(disk);
  if (kind !== null && WHOLE.includes(kind)) return undefined;
  const found = mbr.protective ? await gptPartitions(disk) : await mbrPartitions(disk, mbr);
  return found.sort((a, b) => a.offset - b.offset);
}
