import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { FileTree } from '../file-tree.ts';
import { BOOT_SECTOR_SIZE, backupOffsets, type FatLayout, parseBootSector } from './boot-sector.ts';
import { FatTree } from './fat-tree.ts';
import { isFat, isFat32 } from './is-fat.ts';

/**
 * Opens a FAT12, FAT16 or FAT32 file system for reading.
 *
 * @param disk the partition; stays open
 * @param diskOffset where it begins on the whole disk, in bytes
 * @throws CalveError `invalid` when it is none, `unsupported`, `corrupt`
 */
export async function openFat(disk: Disk, diskOffset: number): Promise<FileTree> {
  return new FatTree({ disk, diskOffset, layout: await soundLayout(disk) });
}

/** As the boot sector says; of a FAT32 whose boot sector contradicts itself, as its backup says. */
async function soundLayout(disk: Disk): Promise<FatLayout> {
  try {
    return parseBootSector(await readBootSector(disk, 0), disk.size);
  } catch (error) {
    if (!CalveError.is(error, 'corrupt')) throw error;
    const backup = await backupLayout(disk);
    if (backup === undefined) throw error;
    return backup;
  }
}

async function backupLayout(disk: Disk): Promise<FatLayout | undefined> {
  for (const offset of backupOffsets()) {
    if (offset + BOOT_SECTOR_SIZE > disk.size) return undefined;
    const sector = await readBootSector(disk, offset);
    if (!isFat(sector) || !isFat32(sector) || sector.readUInt16LE(11) * 6 !== offset) continue;
    try {
      return parseBootSector(sector, disk.size);
    } catch (error) {
      // The boot sector's own error says what is wrong.
      if (!CalveError.is(error)) throw error;
    }
  }
  return undefined;
}

/** The boot sector of the FAT file system that fills a disk. */
export async function readBootSector(disk: Disk, offset: number): Promise<Buffer> {
  if (offset + BOOT_SECTOR_SIZE > disk.size) {
    throw new CalveError('invalid', `expected a file system, got a partition of ${disk.size} bytes`);
  }
  const sector = Buffer.alloc(BOOT_SECTOR_SIZE);
  await disk.read(sector, offset);
  return sector;
}
