import type { Disk } from '../disk/index.ts';
import { extKind } from './ext/ext-kind.ts';
import { isFat, isFat32 } from './fat/is-fat.ts';
import type { FileSystemKind } from './file-system-kind.ts';
import { formatUuid } from './format-uuid.ts';

/** What a disk or partition holds, as its magic numbers say; nothing of it was checked. */
export interface Identity {
  /** Null: nothing that is known here. */
  readonly kind: FileSystemKind | null;
  /** Null: none. */
  readonly label: string | null;
  readonly uuid: string | null;
}

/** As far as the probes look: the superblock of btrfs stands at 64 KiB. */
const LOOKED_AT = 68 * 1024;

type Probe = (bytes: Buffer) => Identity | undefined;

/** Looks at the first bytes of a disk or partition for what is known here. */
export async function identify(disk: Disk): Promise<Identity> {
  const bytes = Buffer.alloc(LOOKED_AT);
  await disk.read(bytes.subarray(0, Math.min(LOOKED_AT, disk.size)), 0);
  for (const probe of PROBES) {
    const found = probe(bytes);
    if (found !== undefined) return found;
  }
  return { kind: null, label: null, uuid: null };
}

// What wraps other content comes first: within it may lie whatever was there before.
const PROBES: readonly Probe[] = [luks, lvm, mdraid, ext, xfs, btrfs, swap, ntfs, exfat, fat, iso9660];

/** cryptsetup's on-disk format: "LUKS" 0xBA 0xBE, version u16 BE; 24 label (version 2) · 168 UUID as text. */
function luks(bytes: Buffer): Identity | undefined {
  if (!has(bytes, 0, 'LUKS\xba\xbe')) return undefined;
  const label = bytes.readUInt16BE(6) === 2 ? text(bytes, 24, 48) : null;
  return { kind: 'luks', label, uuid: text(bytes, 168, 40) };
}

/** The label of a physical volume stands in one of the first four sectors: "LABELONE", 24 "LVM2 001", 32 UUID. */
function lvm(bytes: Buffer): Identity | undefined {
  for (let at = 0; at < 4 * 512; at += 512) {
    if (!has(bytes, at, 'LABELONE') || !has(bytes, at + 24, 'LVM2 001')) continue;
    const id = bytes.toString('latin1', at + 32, at + 64);
    const uuid = id.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})(.{6})$/s, '$1-$2-$3-$4-$5-$6-$7');
    return { kind: 'lvm', label: null, uuid };
  }
  return undefined;
}

/** Linux's software RAID, superblock 1.1 at 0 or 1.2 at 4096: 0xa92b4efc; 16 UUID · 32 name. */
function mdraid(bytes: Buffer): Identity | undefined {
  const at = [0, 4096].find((each) => bytes.readUInt32LE(each) === 0xa92b4efc);
  if (at === undefined) return undefined;
  return { kind: 'mdraid', label: text(bytes, at + 32, 32), uuid: uuidAt(bytes, at + 16) };
}

function ext(bytes: Buffer): Identity | undefined {
  const kind = extKind(bytes.subarray(1024));
  if (kind === undefined) return undefined;
  return { kind, label: text(bytes, 1024 + 0x78, 16), uuid: uuidAt(bytes, 1024 + 0x68) };
}

function xfs(bytes: Buffer): Identity | undefined {
  if (!has(bytes, 0, 'XFSB')) return undefined;
  return { kind: 'xfs', label: text(bytes, 108, 12), uuid: uuidAt(bytes, 32) };
}

function btrfs(bytes: Buffer): Identity | undefined {
  const at = 64 * 1024;
  if (!has(bytes, at + 64, '_BHRfS_M')) return undefined;
  return { kind: 'btrfs', label: text(bytes, at + 299, 256), uuid: uuidAt(bytes, at + 32) };
}

/** The signature ends the first page, whose size is the machine's. */
function swap(bytes: Buffer): Identity | undefined {
  for (const page of [4096, 8192, 16384, 65536]) {
    if (!has(bytes, page - 10, 'SWAPSPACE2') && !has(bytes, page - 10, 'SWAP-SPACE')) continue;
    return { kind: 'swap', label: text(bytes, 1024 + 28, 16), uuid: uuidAt(bytes, 1024 + 12) };
  }
  return undefined;
}

function ntfs(bytes: Buffer): Identity | undefined {
  if (!has(bytes, 3, 'NTFS    ')) return undefined;
  const uuid = Buffer.from(bytes.subarray(72, 80)).reverse().toString('hex').toUpperCase();
  return { kind: 'ntfs', label: null, uuid };
}

/** "EXFAT   "; 100 serial u32. */
function exfat(bytes: Buffer): Identity | undefined {
  if (!has(bytes, 3, 'EXFAT   ')) return undefined;
  return { kind: 'exfat', label: null, uuid: serial(bytes, 100) };
}

/** Before the serial and the label, 38 (FAT32: 66), 0x29 says that both are there, 0x28 the serial alone. */
function fat(bytes: Buffer): Identity | undefined {
  if (!isFat(bytes)) return undefined;
  const at = isFat32(bytes) ? 67 : 39;
  const signature = bytes.readUInt8(at - 1);
  const label = signature === 0x29 ? text(bytes, at + 4, 11) : null;
  return {
    kind: 'fat',
    label: label === 'NO NAME' ? null : label,
    uuid: signature === 0x29 || signature === 0x28 ? serial(bytes, at) : null,
  };
}

/** The primary volume descriptor, after 16 sectors of 2048 bytes: 40 label · 813 when it was made, 830 changed. */
function iso9660(bytes: Buffer): Identity | undefined {
  if (!has(bytes, 32_769, 'CD001')) return undefined;
  const at = 32_768;
  return {
    kind: 'iso9660',
    label: text(bytes, at + 40, 32),
    uuid: dateOfIso(bytes, at + 830) ?? dateOfIso(bytes, at + 813),
  };
}

/** Sixteen digits, down to hundredths of seconds, which `blkid` takes for a UUID. */
function dateOfIso(bytes: Buffer, at: number): string | null {
  const digits = bytes.toString('latin1', at, at + 16);
  if (!/^\d{16}$/.test(digits) || /^0*$/.test(digits)) return null;
  return digits.replace(/^(....)(..)(..)(..)(..)(..)(..)$/, '$1-$2-$3-$4-$5-$6-$7');
}

function serial(bytes: Buffer, at: number): string {
  const digits = bytes.readUInt32LE(at).toString(16).toUpperCase().padStart(8, '0');
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}

function has(bytes: Buffer, at: number, magic: string): boolean {
  return bytes.subarray(at, at + magic.length).equals(Buffer.from(magic, 'latin1'));
}

/** Text up to a zero byte, without the spaces that fill it up; null when nothing is left. */
function text(bytes: Buffer, at: number, length: number): string | null {
  const field = bytes.toString('utf8', at, at + length);
  return field.replace(/\0.*$/s, '').trimEnd() || null;
}

function uuidAt(bytes: Buffer, at: number): string | null {
  const id = bytes.subarray(at, at + 16);
  return id.every((byte) => byte === 0) ? null : formatUuid(id);
}
