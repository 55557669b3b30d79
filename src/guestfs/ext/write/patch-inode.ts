import type { FileAttributes } from '../../tree-change.ts';
import { crc32c, crc32cOfU32 } from '../crc32c.ts';
import { RO_COMPAT } from '../features.ts';
import type { Superblock } from '../superblock.ts';

const OLD_SIZE = 128;
const SECOND = 1_000_000_000n;
const SECONDS_32 = [-(2n ** 31n), 2n ** 31n - 1n] as const;
/** With two bits more for the epoch (ext4 disk layout, "Inode Timestamps"). */
const SECONDS_34 = [-(2n ** 31n), 2n ** 34n - 2n ** 31n - 1n] as const;

/** What of an inode is changed; what is left out stays. */
export interface InodePatch extends Partial<FileAttributes> {
  readonly ctime?: bigint;
  readonly links?: number;
  /** A symlink's target that is kept in the inode, as long as it was. */
  readonly target?: Buffer;
}

/** Changes fields of an inode, in place, and its checksum. @param bytes as long as the file system's inodes */
export function patchInode(superblock: Superblock, number: number, bytes: Buffer, patch: InodePatch): void {
  const { mode, uid, gid, links, target } = patch;
  if (mode !== undefined) bytes.writeUInt16LE((bytes.readUInt16LE(0) & 0xf000) | (mode & 0o7777), 0);
  if (uid !== undefined) writeHalves(bytes, uid, 2, 0x78);
  if (gid !== undefined) writeHalves(bytes, gid, 0x18, 0x7a);
  if (links !== undefined) bytes.writeUInt16LE(links, 0x1a);
  if (target !== undefined) target.copy(bytes, 0x28);
  if (patch.atime !== undefined) writeTime(bytes, patch.atime, 0x8, 0x8c);
  if (patch.mtime !== undefined) writeTime(bytes, patch.mtime, 0x10, 0x88);
  if (patch.ctime !== undefined) writeTime(bytes, patch.ctime, 0xc, 0x84);
  if (superblock.roCompat & RO_COMPAT.metadataCsum) writeChecksum(superblock, number, bytes);
}

/** A time as an inode can keep it: to the second without its further fields, and not beyond what its bits tell. */
export function keptTime(bytes: Buffer, time: bigint, extraAt: number): bigint {
  const fraction = ((time % SECOND) + SECOND) % SECOND;
  const seconds = (time - fraction) / SECOND;
  const hasExtra = extraSize(bytes) >= extraAt + 4 - OLD_SIZE;
  const [least, most] = hasExtra ? SECONDS_34 : SECONDS_32;
  if (seconds < least) return least * SECOND;
  if (seconds > most) return most * SECOND;
  return seconds * SECOND + (hasExtra ? fraction : 0n);
}

function writeTime(bytes: Buffer, wanted: bigint, at: number, extraAt: number): void {
  const time = keptTime(bytes, wanted, extraAt);
  const fraction = ((time % SECOND) + SECOND) % SECOND;
  const seconds = (time - fraction) / SECOND;
  const low = BigInt.asIntN(32, seconds);
  bytes.writeInt32LE(Number(low), at);
  if (extraSize(bytes) < extraAt + 4 - OLD_SIZE) return;
  const epoch = Number((seconds - low) >> 32n) & 3;
  bytes.writeUInt32LE(((Number(fraction) << 2) | epoch) >>> 0, extraAt);
}

function extraSize(bytes: Buffer): number {
  return bytes.length > OLD_SIZE ? bytes.readUInt16LE(0x80) : 0;
}

function writeHalves(bytes: Buffer, value: number, low: number, high: number): void {
  bytes.writeUInt16LE(value & 0xffff, low);
  bytes.writeUInt16LE(value >>> 16, high);
}

function writeChecksum(superblock: Superblock, number: number, bytes: Buffer): void {
  const isWide = bytes.length > OLD_SIZE && extraSize(bytes) >= 4;
  bytes.writeUInt16LE(0, 0x7c);
  if (isWide) bytes.writeUInt16LE(0, 0x82);
  const seed = crc32cOfU32(crc32cOfU32(superblock.checksumSeed, number), bytes.readUInt32LE(0x64));
  const crc = crc32c(seed, bytes);
  bytes.writeUInt16LE(crc & 0xffff, 0x7c);
  if (isWide) bytes.writeUInt16LE(crc >>> 16, 0x82);
}
