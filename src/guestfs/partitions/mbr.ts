import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { Partition } from './partition.ts';

// Sector 0 (UEFI specification, 5.2): 446 bytes of code, four entries of 16 bytes, the signature 0x55 0xAA.
//   entry: 0 boot indicator (0 or 0x80) · 4 type · 8 first sector u32 · 12 sectors u32; little-endian
// A sector counts 512 bytes: QEMU's disks have such sectors unless somebody asks for others.
export const MBR_SECTOR = 512;
const ENTRIES_AT = 446;
const ENTRY_SIZE = 16;
const SIGNATURE_AT = 510;
const PROTECTIVE = 0xee;
/** Extended partitions: CHS, LBA, Linux's own. */
const EXTENDED: readonly number[] = [0x05, 0x0f, 0x85];
/** Linux reads no more partitions of one disk than this. */
const MOST_LOGICAL = 252;

/** One entry of a table, in sectors. */
interface Entry {
  readonly boot: number;
  readonly type: number;
  readonly start: number;
  readonly count: number;
}

/** What sector 0 holds; undefined when it is no MBR. */
export interface Mbr {
  /** A GPT stands behind it. */
  readonly protective: boolean;
  readonly entries: readonly Entry[];
}

/** Reads a sector as an MBR. A boot sector of FAT or NTFS, which ends alike, is none. */
export function parseMbr(sector: Buffer): Mbr | undefined {
  const entries = parseEntries(sector);
  if (entries === undefined) return undefined;
  if (!entries.every(({ boot }) => boot === 0 || boot === 0x80)) return undefined;
  if (!entries.some(({ type, count }) => type !== 0 && count !== 0)) return undefined;
  return { protective: entries.some(({ type }) => type === PROTECTIVE), entries };
}

function parseEntries(sector: Buffer): Entry[] | undefined {
  if (sector.readUInt16LE(SIGNATURE_AT) !== 0xaa55) return undefined;
  return [0, 1, 2, 3].map((index) => {
    const at = ENTRIES_AT + index * ENTRY_SIZE;
    return {
      boot: sector.readUInt8(at),
      type: sector.readUInt8(at + 4),
      start: sector.readUInt32LE(at + 8),
      count: sector.readUInt32LE(at + 12),
    };
  });
}

/**
 * The primary and logical partitions. As in Linux, one that begins behind the end of the disk is left out, and one
 * that ends there is cut.
 * @throws CalveError `corrupt` when the chain of logical partitions runs in a circle, or on and on
 */
export async function mbrPartitions(disk: Disk, { entries }: Mbr): Promise<Partition[]> {
  const found: Partition[] = [];
  const add = (number: number, type: number, start: number, count: number): void => {
    const offset = start * MBR_SECTOR;
    const size = Math.min(count * MBR_SECTOR, disk.size - offset);
    if (size <= 0) return;
    found.push({ number, offset, size, type: typeName(type), name: null, uuid: null });
  };
  const extended: Entry[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.type === 0 || entry.count === 0) continue;
    if (EXTENDED.includes(entry.type)) extended.push(entry);
    else add(index + 1, entry.type, entry.start, entry.count);
  }
  let number = 5;
  for (const { start } of extended) {
    for await (const { type, start: first, count } of logicalPartitions(disk, start)) {
      add(number, type, first, count);
      number += 1;
    }
  }
  return found;
}

/**
 * Each logical partition has a table of its own: its first entry is the partition, counted from that table; the
 * next one that is extended links to the next table, counted from the start of the extended partition.
 */
async function* logicalPartitions(disk: Disk, base: number): AsyncGenerator<Entry> {
  const sector = Buffer.alloc(MBR_SECTOR);
  const seen = new Set<number>();
  for (let table: number | undefined = base; table !== undefined; ) {
    if (seen.has(table) || seen.size > MOST_LOGICAL) {
      throw new CalveError(
        'corrupt',
        `the extended partition at sector ${base}: expected an end to its chain of tables, got ` +
          (seen.has(table) ? `sector ${table} again` : `more than ${MOST_LOGICAL}`),
      );
    }
    seen.add(table);
    const offset = table * MBR_SECTOR;
    if (offset + MBR_SECTOR > disk.size) return;
    await disk.read(sector, offset);
    const entries = parseEntries(sector);
    if (entries === undefined) return;
    let next: number | undefined;
    for (const entry of entries) {
      if (entry.type === 0 || entry.count === 0) continue;
      if (!EXTENDED.includes(entry.type)) yield { ...entry, start: table + entry.start };
      else next ??= base + entry.start;
    }
    table = next;
  }
}

function typeName(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}
