import type { Disk } from '../../disk/index.ts';
import { readU64 } from '../read-u64.ts';
import { corrupt } from './corrupt.ts';
import { lvmChecksum } from './lvm-checksum.ts';

// LVM2's on-disk format (lvm2, doc and lib/format_text/layout.h as published), little-endian:
// label, in one of the first four sectors: 0 "LABELONE" · 8 its sector u64 · 16 checksum of what follows u32 · 20 bytes to
//   the header of the physical volume u32 · 24 "LVM2 001"
// header of the physical volume: 0 UUID, 32 letters · 32 its size u64 · 40 pairs of offset u64 and size u64: where data
//   lies, up to a pair of zeros, then where metadata does, up to another
// metadata area: 0 checksum of the rest of its 512 bytes u32 · 4 magic · 20 version u32, 1 · 24 where it lies u64 · 32 its
//   size u64 · 40 the current text: offset u64 · size u64 · checksum u32 · flags u32, 1: ignored
const SECTOR = 512;
const LABEL_SECTORS = 4;
const MAGIC = ' LVM2 x[5A%r0N*>';
const HEADER = 512;
const IGNORED = 1;
/** A text of a real volume group takes some 1 KiB a volume. */
const LARGEST_TEXT = 4 << 20;

/** A physical volume: whose it is, and what is told in it of its volume group. */
export interface PhysicalVolume {
  /** 32 letters, without dashes. */
  readonly uuid: string;
  /** Null: this one holds none, another of the group does. */
  readonly metadata: string | null;
}

/** Reads the label and the metadata of a physical volume. @throws CalveError `corrupt` */
export async function readPhysicalVolume(disk: Disk): Promise<PhysicalVolume> {
  const bytes = Buffer.alloc(Math.min(disk.size, LABEL_SECTORS * SECTOR));
  await disk.read(bytes, 0);
  for (let at = 0; at + SECTOR <= bytes.length; at += SECTOR) {
    const sector = bytes.subarray(at, at + SECTOR);
    if (sector.toString('latin1', 0, 8) !== 'LABELONE') continue;
    if (sector.readUInt32LE(16) !== lvmChecksum(sector.subarray(20)))
      throw corrupt('label', 'its checksum is wrong');
    const header = sector.readUInt32LE(20);
    if (header < 32 || header + 40 > SECTOR) throw corrupt('label', `a header at byte ${header}`);
    const areas = metadataAreas(sector.subarray(header + 40));
    const uuid = sector.toString('latin1', header, header + 32);
    return { uuid, metadata: await firstText(disk, areas) };
  }
  throw corrupt('label', 'there is none');
}

interface Area {
  readonly offset: number;
  readonly size: number;
}

function metadataAreas(pairs: Buffer): Area[] {
  const areas: Area[] = [];
  let isData = true;
  for (let at = 0; at + 16 <= pairs.length; at += 16) {
    const area = { offset: readU64(pairs, at), size: readU64(pairs, at + 8) };
    if (area.offset === 0 && area.size === 0) {
      if (!isData) return areas;
      isData = false;
    } else if (!isData) areas.push(area);
  }
  throw corrupt('header of the physical volume', 'its list of areas has no end');
}

/** The text of the first area that is sound; all hold the same. */
async function firstText(disk: Disk, areas: readonly Area[]): Promise<string | null> {
  let failure: unknown;
  for (const area of areas) {
    try {
      const text = await textOf(disk, area);
      if (text !== null) return text;
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return null;
}

async function textOf(disk: Disk, { offset, size }: Area): Promise<string | null> {
  const where = `metadata area at byte ${offset}`;
  if (size < HEADER || offset + size > disk.size)
    throw corrupt(where, `its ${size} bytes do not lie in the disk`);
  const header = Buffer.alloc(HEADER);
  await disk.read(header, offset);
  if (header.toString('latin1', 4, 20) !== MAGIC) throw corrupt(where, 'its signature is missing');
  if (header.readUInt32LE(0) !== lvmChecksum(header.subarray(4)))
    throw corrupt(where, 'its checksum is wrong');
  const [from, length] = [readU64(header, 40), readU64(header, 48)];
  if (length === 0 || header.readUInt32LE(60) & IGNORED) return null;
  if (from < HEADER || from >= size || length > size - HEADER || length > LARGEST_TEXT) {
    throw corrupt(where, `a text of ${length} bytes at ${from}`);
  }
  const text = Buffer.alloc(length);
  // It goes round: what passes the end goes on behind the header.
  const first = Math.min(length, size - from);
  await disk.read(text.subarray(0, first), offset + from);
  if (first < length) await disk.read(text.subarray(first), offset + HEADER);
  if (header.readUInt32LE(56) !== lvmChecksum(text))
    throw corrupt(where, 'the checksum of its text is wrong');
  return text.toString('latin1').replace(/\0+$/, '');
}
