import { utf16Bytes } from '../utf16-bytes.ts';
import { ENTRY_SIZE } from './boot-sector.ts';
import { decode437 } from './code-page-437.ts';
import { corrupt } from './corrupt.ts';
import { LONG_ATTRIBUTES, LongName } from './long-name.ts';

// Entry (FAT specification, "Directory Structure"), 32 bytes: 0 name, 8 and 3 bytes of the machine's code page, filled
//   up with spaces · 11 attributes u8 · 12 what of the name is lower case u8 (Windows NT) · the rest: see fat-inode.ts.
//   First byte 0: no entry from here on; 0xe5: free; 0x05: a name that begins with 0xe5.
export const ATTRIBUTE = { readOnly: 0x01, label: 0x08, directory: 0x10, archive: 0x20 } as const;
const NO_MORE = 0;
export const FREE = 0xe5;
const INSTEAD_OF_FREE = 0x05;
const LOWER_BASE = 0x08;
const LOWER_EXTENSION = 0x10;
const KNOWN_ATTRIBUTES = 0x3f;
const NAME = 11;
const BASE = 8;

/** A file's entry in a directory, with the parts of its long name. */
export interface FatEntry {
  /** UTF-8: the long name, where there is one. */
  readonly name: Buffer;
  /** The short name in UTF-8, as it is asked for instead of a long one. */
  readonly alias: Buffer;
  /** Bytes from the start of the directory: of the first part of the long name, and of the entry itself. */
  readonly from: number;
  readonly at: number;
  /** The entry itself. */
  readonly bytes: Buffer;
}

/**
 * The files in a directory, but for `.` and `..`. As in Linux, parts of long names that belong to nothing are left out.
 * As the specification says, and other than in Linux, nothing that stands behind the end is an entry.
 *
 * @param content of the directory, whole
 * @throws CalveError `corrupt` for a name that leads elsewhere
 */
export function* directoryEntries(content: Buffer, where: string): Generator<FatEntry> {
  const long = new LongName();
  let from: number | undefined;
  for (let at = 0; at + ENTRY_SIZE <= content.length; at += ENTRY_SIZE) {
    const bytes = content.subarray(at, at + ENTRY_SIZE);
    const first = bytes.readUInt8(0);
    const attributes = bytes.readUInt8(NAME);
    if (first === NO_MORE) return;
    if (first !== FREE && (attributes & KNOWN_ATTRIBUTES) === LONG_ATTRIBUTES) {
      from ??= at;
      long.add(bytes);
      continue;
    }
    if (isFile(bytes)) {
      const units = long.of(bytes);
      const alias = Buffer.from(shortName(bytes));
      const name = units === undefined ? alias : utf16Bytes(units);
      const known = alias.toString('latin1');
      if (known !== '.' && known !== '..' && alias.length > 0) {
        checkName(name, `${where}, entry at byte ${at}`);
        checkName(alias, `${where}, entry at byte ${at}`);
        yield { name, alias, from: units === undefined ? at : (from ?? at), at, bytes };
      }
    }
    long.clear();
    from = undefined;
  }
}

/** Whether 32 bytes are the entry of a file or directory: neither free, nor a label, nor a part of a long name. */
export function isFile(entry: Buffer): boolean {
  const first = entry.readUInt8(0);
  return first !== NO_MORE && first !== FREE && (entry.readUInt8(NAME) & ATTRIBUTE.label) === 0;
}

/** Whether no entry stands here, nor behind. */
export function isEnd(entry: Buffer): boolean {
  return entry.readUInt8(0) === NO_MORE;
}

/** An entry's short name as text, in lower case as far as it says so. */
function shortName(entry: Buffer): string {
  const raw = Buffer.from(entry.subarray(0, NAME));
  if (raw[0] === INSTEAD_OF_FREE) raw[0] = FREE;
  const cases = entry.readUInt8(12);
  const part = (from: number, to: number, lower: number): string => {
    const text = decode437(raw.subarray(from, to)).replace(/ +$/, '');
    return cases & lower ? text.toLowerCase() : text;
  };
  const base = part(0, BASE, LOWER_BASE);
  const extension = part(BASE, NAME, LOWER_EXTENSION);
  return extension === '' ? base : `${base}.${extension}`;
}

function checkName(name: Buffer, where: string): void {
  const word = name.toString('latin1');
  if (word !== '' && word !== '.' && word !== '..' && !/[/\0]/.test(word)) return;
  throw corrupt(where, `a name that no file can have: ${JSON.stringify(name.toString())}`);
}
