import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { corrupt } from './corrupt.ts';

// Volume descriptors (ECMA-119, 8), one a sector of 2048 bytes from sector 16 on: 0 type u8 · 1 "CD001"
//   type 1, primary, and 2, supplementary: 88 escape sequences, 32 bytes · 128 bytes a block u16, in both byte orders ·
//   156 directory record of the root, 34 bytes
//   type 255: the last one
const SECTOR = 2048;
const FIRST = 16;
/** Real images have a handful. */
const MOST_DESCRIPTORS = 64;
const PRIMARY = 1;
const SUPPLEMENTARY = 2;
const LAST = 255;
const ROOT_AT = 156;
/** Joliet specification: UCS-2 at level 1, 2 or 3. */
const JOLIET: readonly string[] = ['%/@', '%/C', '%/E'];

/** A tree of directories in an image. */
export interface IsoVolume {
  /** Whether its names are Joliet's, in UTF-16. */
  readonly joliet: boolean;
  /** Bytes: 512, 1024 or 2048. */
  readonly blockSize: number;
  /** Where the directory record of its root stands, in bytes from the start of the image. */
  readonly rootAt: number;
}

/**
 * The trees of an image: the primary one, and Joliet's where there is one.
 * @throws CalveError `invalid` when it is no ISO 9660 image; `corrupt`
 */
export async function readVolumes(disk: Disk): Promise<{ primary: IsoVolume; joliet: IsoVolume | null }> {
  let primary: IsoVolume | null = null;
  let joliet: IsoVolume | null = null;
  const sector = Buffer.alloc(SECTOR);
  for (let number = FIRST; number < FIRST + MOST_DESCRIPTORS; number += 1) {
    const at = number * SECTOR;
    if (at + SECTOR > disk.size) break;
    await disk.read(sector, at);
    if (sector.toString('latin1', 1, 6) !== 'CD001') break;
    const type = sector.readUInt8(0);
    if (type === LAST) break;
    const isJoliet = JOLIET.includes(sector.toString('latin1', 88, 91));
    if (type === PRIMARY) primary ??= volumeOf(sector, at, false);
    else if (type === SUPPLEMENTARY && isJoliet) joliet ??= volumeOf(sector, at, true);
  }
  if (primary === null)
    throw new CalveError('invalid', 'expected an ISO 9660 image, got no primary volume descriptor');
  return { primary, joliet };
}

function volumeOf(sector: Buffer, at: number, joliet: boolean): IsoVolume {
  const blockSize = sector.readUInt16LE(128);
  if (![512, 1024, 2048].includes(blockSize)) {
    throw corrupt(
      `volume descriptor at byte ${at}`,
      `blocks of ${blockSize} bytes; 512, 1024 and 2048 are allowed`,
    );
  }
  return { joliet, blockSize, rootAt: at + ROOT_AT };
}
