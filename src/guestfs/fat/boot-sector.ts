import { CalveError } from '../../errors/index.ts';
import { corrupt } from './corrupt.ts';
import { isFat, isFat32, LARGEST_SECTOR } from './is-fat.ts';

// Boot sector (Microsoft's FAT specification, "Boot Sector and BPB"), little-endian: 11 bytes a sector u16 ·
//   13 sectors a cluster u8 · 14 reserved sectors u16 · 16 FATs u8 · 17 entries of the root directory u16 ·
//   19 sectors u16, 0: see 32 · 22 sectors a FAT u16 · 32 sectors u32
//   FAT12 and FAT16: 37 state u8
//   FAT32: 36 sectors a FAT u32 · 40 flags u16: 0x80 one FAT alone is kept, 0x0f which · 42 version u16 · 44 cluster
//   of the root directory u32 · 48 sector of FSInfo u16 · 50 sector of the backup u16 · 65 state u8
export const BOOT_SECTOR_SIZE = 512;
const ONE_FAT = 0x80;
const WHICH_FAT = 0x0f;
const NONE = 0xffff;
export const ENTRY_SIZE = 32;
export const FIRST_CLUSTER = 2;
/** The most clusters that each kind numbers; a file system with one more is of the next kind. */
const MOST_CLUSTERS = { 12: 4084, 16: 65_524, 32: 0x0fff_fff5 } as const;

/** How a FAT file system is laid out. All offsets are bytes from its start, all lengths bytes. */
export interface FatLayout {
  /** How wide an entry of the FAT is. */
  readonly bits: 12 | 16 | 32;
  readonly sectorSize: number;
  readonly clusterSize: number;
  /** Clusters are numbered from 2 on. */
  readonly clusters: number;
  readonly fatOffset: number;
  /** Of one FAT. */
  readonly fatSize: number;
  readonly fats: number;
  /** Which FAT counts, from 0 on. */
  readonly activeFat: number;
  /** Whether the other FATs are kept equal to it. */
  readonly mirrored: boolean;
  /** Where the root directory lies in a room of its own (FAT12, FAT16). */
  readonly root: { readonly offset: number; readonly length: number } | null;
  /** Where its chain begins (FAT32), else 0. */
  readonly rootCluster: number;
  /** Where cluster 2 begins. */
  readonly dataOffset: number;
  /** Of the sector that counts free clusters (FAT32); null: none. */
  readonly fsInfoOffset: number | null;
  /** Of the byte whose lowest bit says that the file system was not shut down. */
  readonly stateOffset: number;
}

/**
 * Decodes and checks a boot sector.
 *
 * @param sector its first 512 bytes
 * @param size of the partition, in bytes
 * @throws CalveError `invalid` when it is none; `unsupported` for a later version; `corrupt`
 */
export function parseBootSector(sector: Buffer, size: number): FatLayout {
  if (!isFat(sector))
    throw new CalveError('invalid', 'expected the boot sector of a FAT file system, got none');
  const wide = isFat32(sector);
  const sectorSize = sector.readUInt16LE(11);
  const perCluster = sector.readUInt8(13);
  const reserved = sector.readUInt16LE(14);
  const fats = sector.readUInt8(16);
  const rootEntries = sector.readUInt16LE(17);
  const sectors = sector.readUInt16LE(19) || sector.readUInt32LE(32);
  const fatSectors = wide ? sector.readUInt32LE(36) : sector.readUInt16LE(22);
  const version = wide ? sector.readUInt16LE(42) : 0;
  if (version !== 0) throw new CalveError('unsupported', `FAT32 of version ${version}; 0 is read`);

  const rootSectors = Math.ceil((rootEntries * ENTRY_SIZE) / sectorSize);
  const rootStart = reserved + fats * fatSectors;
  const dataStart = rootStart + rootSectors;
  if (sectors <= dataStart) {
    throw corrupt('boot sector', `${sectors} sectors, of which ${dataStart} lie before the first cluster`);
  }
  const counted = Math.floor((sectors - dataStart) / perCluster);
  // As in Linux, the layout tells FAT32; the specification counts clusters, and mkfs.fat makes small ones of FAT32.
  const bits = wide ? 32 : counted > MOST_CLUSTERS[12] ? 16 : 12;
  if (counted > MOST_CLUSTERS[bits]) throw corrupt('boot sector', `${counted} clusters in FAT${bits}`);
  const numbered = Math.floor((fatSectors * sectorSize * 8) / bits) - FIRST_CLUSTER;
  const clusters = Math.min(counted, numbered);
  if (clusters < 1) throw corrupt('boot sector', `${counted} clusters, and room in the FAT for ${numbered}`);
  if (sectors * sectorSize > size) {
    throw corrupt(
      'boot sector',
      `expected at most the ${size} bytes of the partition, got ${sectors} sectors of ${sectorSize} bytes`,
    );
  }
  const rootCluster = wide ? sector.readUInt32LE(44) : 0;
  if (wide && (rootCluster < FIRST_CLUSTER || rootCluster >= clusters + FIRST_CLUSTER)) {
    throw corrupt('boot sector', `the root directory in cluster ${rootCluster} of ${clusters}`);
  }
  if (!wide && rootEntries === 0) throw corrupt('boot sector', 'no room for the root directory');
  const flags = wide ? sector.readUInt16LE(40) : 0;
  const mirrored = (flags & ONE_FAT) === 0;
  const activeFat = mirrored ? 0 : flags & WHICH_FAT;
  if (activeFat >= fats) throw corrupt('boot sector', `FAT ${activeFat} of ${fats} counts`);
  const fsInfo = wide ? sector.readUInt16LE(48) : 0;
  return {
    bits,
    sectorSize,
    clusterSize: perCluster * sectorSize,
    clusters,
    fatOffset: reserved * sectorSize,
    fatSize: fatSectors * sectorSize,
    fats,
    activeFat,
    mirrored,
    root: wide ? null : { offset: rootStart * sectorSize, length: rootEntries * ENTRY_SIZE },
    rootCluster,
    dataOffset: dataStart * sectorSize,
    fsInfoOffset: fsInfo > 0 && fsInfo !== NONE && fsInfo < reserved ? fsInfo * sectorSize : null,
    stateOffset: wide ? 65 : 37,
  };
}

/** Where the backup of a FAT32 boot sector may stand: in sector 6, of whatever size sectors are. */
export function backupOffsets(): number[] {
  const found: number[] = [];
  for (let size = BOOT_SECTOR_SIZE; size <= LARGEST_SECTOR; size *= 2) found.push(6 * size);
  return found;
}

/** Where a cluster begins, in bytes from the start of the file system. */
export function clusterOffset(layout: FatLayout, cluster: number): number {
  return layout.dataOffset + (cluster - FIRST_CLUSTER) * layout.clusterSize;
}
