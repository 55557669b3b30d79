import { crc32 } from 'node:zlib';
import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { formatGuid } from '../format-uuid.ts';
import { readU64 } from '../read-u64.ts';
import type { Partition } from './partition.ts';

// Header (UEFI specification, 5.3.2), little-endian: 0 "EFI PART" · 12 header size u32 · 16 CRC32 of the header u32,
//   itself as 0 · 24 own LBA u64 · 72 LBA of the entries u64 · 80 number of entries u32 · 84 bytes of each u32 ·
//   88 CRC32 of all entries u32
// Entry (5.3.3): 0 type GUID · 16 own GUID · 32 first LBA u64 · 40 last LBA u64 · 56 name, 36 units of UTF-16
const SIGNATURE = Buffer.from('EFI PART', 'latin1');
const HEADER_SIZE = 92;
const ENTRY_SIZE = 128;
const SECTOR_SIZES: readonly number[] = [512, 4096];
/** The entries of a real table take 16 KiB; one that asks for more than this is not believed. */
const MOST_ENTRY_BYTES = 1 << 20;

/** A table that passed all checks. */
interface Gpt {
  readonly sectorSize: number;
  readonly entrySize: number;
  readonly entries: Buffer;
}

/**
 * The partitions of the GUID partition table: of the header at the start of the disk, or of the one at its end when
 * that one fails a check. As in Linux, an entry that does not lie in the disk is left out.
 * @throws CalveError `corrupt` when neither is sound
 */
export async function gptPartitions(disk: Disk): Promise<Partition[]> {
  const problems: string[] = [];
  for (const backup of [false, true]) {
    for (const sectorSize of SECTOR_SIZES) {
      const found = await readTable(disk, sectorSize, backup);
      if (typeof found !== 'string') return partitionsOf(disk, found);
      problems.push(found);
    }
  }
  // What says more than that nothing was found tells what is wrong.
  const told = problems.filter((problem) => !problem.startsWith('no signature'));
  throw new CalveError(
    'corrupt',
    `the protective MBR promises a GUID partition table, and neither it nor its backup is sound: ${
      told.length > 0 ? told.join('; ') : 'there is no header'
    }`,
    { hint: 'sgdisk --verify explains, and its recovery menu mends, on an exported or served disk' },
  );
}

/** The table whose header stands at its place for this sector size, or what is wrong with it. */
async function readTable(disk: Disk, sectorSize: number, backup: boolean): Promise<Gpt | string> {
  const lba = backup ? Math.floor(disk.size / sectorSize) - 1 : 1;
  const where = `${backup ? 'backup' : 'primary'} header at byte ${lba * sectorSize}`;
  if (lba < 1 || (lba + 1) * sectorSize > disk.size) return `no signature: ${where} lies outside the disk`;
  const sector = Buffer.alloc(sectorSize);
  await disk.read(sector, lba * sectorSize);
  if (!sector.subarray(0, 8).equals(SIGNATURE)) return `no signature: ${where}`;
  const headerSize = sector.readUInt32LE(12);
  if (headerSize < HEADER_SIZE || headerSize > sectorSize) return `${where}: header size ${headerSize}`;
  const header = Buffer.from(sector.subarray(0, headerSize));
  header.writeUInt32LE(0, 16);
  if (crc32(header) !== sector.readUInt32LE(16)) return `${where}: checksum`;
  if (readU64(sector, 24) !== lba) return `${where}: it says that it stands at sector ${readU64(sector, 24)}`;
  const at = readU64(sector, 72) * sectorSize;
  const count = sector.readUInt32LE(80);
  const entrySize = sector.readUInt32LE(84);
  const bytes = count * entrySize;
  if (entrySize < ENTRY_SIZE || entrySize % 8 !== 0 || bytes > MOST_ENTRY_BYTES) {
    return `${where}: ${count} entries of ${entrySize} bytes`;
  }
  if (at + bytes > disk.size) return `${where}: entries at byte ${at}, outside the disk`;
  const entries = Buffer.alloc(bytes);
  await disk.read(entries, at);
  if (crc32(entries) !== sector.readUInt32LE(88)) return `${where}: checksum of the entries`;
  return { sectorSize, entrySize, entries };
}

function partitionsOf(disk: Disk, { sectorSize, entrySize, entries }: Gpt): Partition[] {
  const found: Partition[] = [];
  for (let at = 0, number = 1; at < entries.length; at += entrySize, number += 1) {
    const entry = entries.subarray(at, at + entrySize);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const offset = readU64(entry, 32) * sectorSize;
    const end = (readU64(entry, 40) + 1) * sectorSize;
    if (offset >= end || end > disk.size) continue;
    found.push({
      number,
      offset,
      size: end - offset,
      type: formatGuid(entry),
      name: entry.toString('utf16le', 56, 128).replace(/\0.*$/s, '') || null,
      uuid: formatGuid(entry.subarray(16)),
    });
  }
  return found;
}
