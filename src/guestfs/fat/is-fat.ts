// What every boot sector of FAT has (Microsoft's FAT specification, "Boot Sector and BPB"): 0 a jump, 0xeb or 0xe9 ·
//   11 bytes a sector u16 · 13 sectors a cluster u8 · 14 reserved sectors u16 · 16 FATs u8 · 21 media u8 ·
//   22 sectors a FAT u16, 0 in FAT32 · 36 the same u32 in FAT32
const JUMPS: readonly number[] = [0xeb, 0xe9];
const SMALLEST_SECTOR = 512;
export const LARGEST_SECTOR = 4096;
const MOST_FATS = 4;
const LEAST_MEDIA = 0xf8;
const FLOPPY_MEDIA = 0xf0;

/**
 * Whether a sector may be the boot sector of a FAT file system. Its text "FAT16" is not asked for: the specification
 * lets no one trust it, and old systems wrote none. That all numbers are plausible tells it from an MBR and from the
 * boot sectors of NTFS and exFAT, where those of FATs are 0.
 */
export function isFat(sector: Buffer): boolean {
  const sectorSize = sector.readUInt16LE(11);
  const perCluster = sector.readUInt8(13);
  const fats = sector.readUInt8(16);
  const media = sector.readUInt8(21);
  return (
    JUMPS.includes(sector.readUInt8(0)) &&
    sectorSize >= SMALLEST_SECTOR &&
    sectorSize <= LARGEST_SECTOR &&
    isPowerOfTwo(sectorSize) &&
    isPowerOfTwo(perCluster) &&
    sector.readUInt16LE(14) > 0 &&
    fats > 0 &&
    fats <= MOST_FATS &&
    (media >= LEAST_MEDIA || media === FLOPPY_MEDIA) &&
    (sector.readUInt16LE(22) > 0 || sector.readUInt32LE(36) > 0)
  );
}

/** Whether a boot sector lays the file system out as FAT32. */
export function isFat32(sector: Buffer): boolean {
  return sector.readUInt16LE(22) === 0;
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}
