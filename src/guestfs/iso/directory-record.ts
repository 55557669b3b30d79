import { corrupt } from './corrupt.ts';

// Directory record (ECMA-119, 9.1): 0 length u8 · 1 blocks of extended attributes u8 · 2 block u32 and, 10, bytes u32,
//   each little-endian, then big-endian · 18 time, 7 bytes · 25 flags u8 · 26 interleaving: unit u8, gap u8 ·
//   32 length of the name u8 · 33 name, filled up to an even length · from there on what the system uses
const HEADER = 33;
export const SMALLEST_RECORD: number = HEADER + 1;
export const LARGEST_RECORD = 255;
const FLAG = { directory: 0x02, associated: 0x04, more: 0x80 } as const;

/** A record of a directory. */
export interface DirectoryRecord {
  /** Where it stands, in bytes from the start of the image. */
  readonly at: number;
  readonly length: number;
  /** The first block of the content. */
  readonly block: number;
  /** Bytes. */
  readonly size: number;
  readonly flags: number;
  readonly isDirectory: boolean;
  /** Belongs to another file, as the resource fork of a Macintosh. */
  readonly isAssociated: boolean;
  /** The content goes on in the next record. */
  readonly goesOn: boolean;
  readonly isInterleaved: boolean;
  readonly time: bigint;
  readonly name: Buffer;
  /** What Rock Ridge and others keep. */
  readonly systemUse: Buffer;
}

/**
 * Decodes the record that begins with `bytes`.
 *
 * @param bytes to the end of what it may take
 * @param at where it stands in the image, for errors too
 * @throws CalveError `corrupt`
 */
export function parseRecord(bytes: Buffer, at: number): DirectoryRecord {
  const where = `directory record at byte ${at}`;
  const length = bytes.readUInt8(0);
  if (length < SMALLEST_RECORD || length > bytes.length) {
    throw corrupt(where, `${length} bytes, expected ${SMALLEST_RECORD} to ${bytes.length}`);
  }
  const nameLength = bytes.readUInt8(32);
  if (nameLength === 0 || HEADER + nameLength > length) {
    throw corrupt(where, `a name of ${nameLength} bytes in a record of ${length}`);
  }
  const nameEnd = HEADER + nameLength;
  const flags = bytes.readUInt8(25);
  return {
    at,
    length,
    block: bytes.readUInt32LE(2) + bytes.readUInt8(1),
    size: bytes.readUInt32LE(10),
    flags,
    isDirectory: (flags & FLAG.directory) !== 0,
    isAssociated: (flags & FLAG.associated) !== 0,
    goesOn: (flags & FLAG.more) !== 0,
    isInterleaved: bytes.readUInt8(26) !== 0 || bytes.readUInt8(27) !== 0,
    time: decodeShortTime(bytes, 18),
    name: Buffer.from(bytes.subarray(HEADER, nameEnd)),
    systemUse: Buffer.from(bytes.subarray(Math.min(length, nameEnd + (nameEnd % 2)), length)),
  };
}

/** Whether a record is of the directory itself, or of the one above. */
export function isDots(name: Buffer): boolean {
  return name.length === 1 && (name[0] === 0 || name[0] === 1);
}

const MINUTES_OF_ZONE = 15;
const MILLION = 1_000_000n;

/** ECMA-119, 9.1.5: years since 1900, month, day, hour, minute, second, quarters of an hour east of Greenwich. */
export function decodeShortTime(bytes: Buffer, at: number): bigint {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = bytes.subarray(at, at + 6);
  if (month === 0) return 0n;
  const local = Date.UTC(1900 + year, month - 1, day, hour, minute, second);
  return BigInt(local - zoneOf(bytes, at + 6)) * MILLION;
}

/** ECMA-119, 8.4.26.1: 16 digits, YYYYMMDDhhmmsscc, and the zone. */
export function decodeLongTime(bytes: Buffer, at: number): bigint {
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(bytes.toString('latin1', at, at + 16));
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, hundredths = 0] = (found ?? [])
    .slice(1)
    .map(Number);
  if (month === 0) return 0n;
  const local = Date.UTC(year, month - 1, day, hour, minute, second, hundredths * 10);
  return BigInt(local - zoneOf(bytes, at + 16)) * MILLION;
}

/** Milliseconds. */
function zoneOf(bytes: Buffer, at: number): number {
  return bytes.readInt8(at) * MINUTES_OF_ZONE * 60_000;
}
