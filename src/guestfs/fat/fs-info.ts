import type { Disk, WritableDisk } from '../../disk/index.ts';

// FSInfo (FAT specification, "FAT32 FSInfo Sector Structure"), 512 bytes: 0 signature u32 · 484 signature u32 · 488 free
//   clusters u32 · 492 where to look for one u32 · 508 signature u32. All bits set: not known.
const SIZE = 512;
const SIGNATURES: readonly (readonly [at: number, value: number])[] = [
  [0, 0x4161_5252],
  [484, 0x6141_7272],
  [508, 0xaa55_0000],
];
const UNKNOWN = 0xffff_ffff;

/** What a FAT32 says about its free clusters. */
export interface FsInfo {
  readonly offset: number;
  /** Null: not known. */
  readonly free: number | null;
  readonly next: number;
}

/** @returns undefined where none stands */
export async function readFsInfo(disk: Disk, offset: number | null): Promise<FsInfo | undefined> {
  if (offset === null) return undefined;
  const bytes = Buffer.alloc(SIZE);
  await disk.read(bytes, offset);
  if (!SIGNATURES.every(([at, value]) => bytes.readUInt32LE(at) === value)) return undefined;
  const free = bytes.readUInt32LE(488);
  return { offset, free: free === UNKNOWN ? null : free, next: bytes.readUInt32LE(492) };
}

/** Writes what changes. */
export async function writeFsInfo(disk: WritableDisk, { offset, free, next }: FsInfo): Promise<void> {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(free ?? UNKNOWN, 0);
  bytes.writeUInt32LE(next, 4);
  await disk.write(bytes, offset + 488);
}
