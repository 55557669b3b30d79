import type { Inode, InodeType } from '../inode.ts';
import { type Fields, unexpected } from './parse-structures.ts';

/** The upper four bits of a mode, as the appliance's Linux has it (inode(7)). */
const TYPES: Readonly<Record<number, InodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};
const TYPE_SHIFT = 12;
const NANOSECONDS = 1_000_000_000n;
/** What st_blocks counts in, whatever the file system's block is. */
const BLOCK = 512;

/** A file as lstat(2) tells it; the number is the kernel's, unique in its device. */
export interface GuestStat extends Inode {
  /** The file system, or subvolume, that it is in. */
  readonly home: string;
}

/**
 * What guestfish tells of a file, checked; undefined: there is none (`lstatnslist` tells -1 then).
 * @throws CalveError `corrupt`
 */
export function guestStat(fields: Fields): GuestStat | undefined {
  if (fields.get('st_ino') === '-1') return undefined;
  const mode = whole(fields, 'st_mode');
  const type = TYPES[mode >>> TYPE_SHIFT];
  if (type === undefined) throw unexpected(`st_mode: ${mode}`);
  const isDevice = type === 'character-device' || type === 'block-device';
  return {
    home: String(integer(fields, 'st_dev')),
    number: whole(fields, 'st_ino'),
    type,
    mode: mode & 0o7777,
    uid: whole(fields, 'st_uid'),
    gid: whole(fields, 'st_gid'),
    size: whole(fields, 'st_size'),
    links: whole(fields, 'st_nlink'),
    atime: time(fields, 'st_atime'),
    mtime: time(fields, 'st_mtime'),
    ctime: time(fields, 'st_ctime'),
    crtime: null,
    flags: 0,
    generation: 0,
    allocated: whole(fields, 'st_blocks') * BLOCK,
    device: isDevice ? device(integer(fields, 'st_rdev')) : null,
  };
}

/** As the C library packs them into 64 bits (makedev(3)): 12 and 20 bits of both below, the rest above. */
function device(packed: bigint): NonNullable<Inode['device']> {
  const major = ((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n);
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

function time(fields: Fields, name: string): bigint {
  const part = integer(fields, `${name}_nsec`);
  if (part < 0n || part >= NANOSECONDS) throw unexpected(`${name}_nsec: ${part}`);
  return integer(fields, `${name}_sec`) * NANOSECONDS + part;
}

function whole(fields: Fields, name: string): number {
  const value = Number(integer(fields, name));
  if (!Number.isSafeInteger(value) || value < 0) throw unexpected(`${name}: ${value}`);
  return value;
}

function integer(fields: Fields, name: string): bigint {
  const text = fields.get(name) ?? '';
  if (!/^-?\d{1,20}$/.test(text)) throw unexpected(`${name}: ${text}`);
  return BigInt(text);
}
