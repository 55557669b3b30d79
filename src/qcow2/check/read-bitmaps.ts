import { ENTRY_SIZE, EXTENSION } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { FindingLog } from './finding-log.ts';
import { readBytes } from './read-pieces.ts';
import type { TablePlace } from './table-segments.ts';

/** Section "Bitmaps extension": its length. */
const EXTENSION_LENGTH = 24;
/** Section "Bitmap directory": the part that every entry has. */
const FIXED = 24;
/** QEMU's limits: of bitmaps, of a directory entry, of a bitmap table's entries, of a name. */
const MAX_BITMAPS = 65_535;
const MAX_ENTRY = 1024;
const MAX_TABLE_ENTRIES = 0x800_0000;
const MAX_NAME = 1023;

/** The table of a bitmap: where its clusters lie. */
export interface BitmapTable extends TablePlace {
  /** Position in the bitmap directory. */
  readonly bitmap: number;
}

/** What the bitmap directory says, as far as it can be read. */
export interface Bitmaps {
  readonly directory: TablePlace;
  readonly tables: readonly BitmapTable[];
}

/** The part of a bitmap directory entry that says where things lie, and what is wrong with it, if anything. */
interface BitmapEntry {
  readonly tableOffset: number;
  /** Bytes of its table. */
  readonly tableLength: number;
  /** Bytes of the whole entry, padding included. */
  readonly length: number;
  readonly problem: string | undefined;
}

/** Takes the first 24 bytes of an entry apart. */
function decodeBitmapEntry(bytes: Uint8Array, clusterSize: number): BitmapEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tableOffset = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  const entries = view.getUint32(8);
  const nameLength = view.getUint16(18);
  const length = Math.ceil((FIXED + view.getUint32(20) + nameLength) / 8) * 8;
  let problem: string | undefined;
  if (tableOffset === 0 || view.getUint32(4) % clusterSize !== 0) problem = `a table at ${tableOffset}`;
  else if (entries === 0 || entries > MAX_TABLE_ENTRIES) problem = `a table of ${entries} entries`;
  else if (view.getUint8(16) !== 1) problem = `type ${view.getUint8(16)}`;
  else if (nameLength === 0 || nameLength > MAX_NAME) problem = `a name of ${nameLength} bytes`;
  return { tableOffset, tableLength: entries * ENTRY_SIZE, length, problem };
}

/**
 * Reads the bitmap directory; undefined when there is none that counts. One whose autoclear bit is off is not looked
 * at: the bitmaps are outdated, and their clusters leaks (trap 32). Bitmaps behind a bad entry are not found.
 */
export async function readBitmaps(
  file: ImageFile,
  header: Qcow2Header,
  log: FindingLog,
): Promise<Bitmaps | undefined> {
  const extension = header.extensions.find(({ type }) => type === EXTENSION.bitmaps);
  if (!extension || !header.autoclear.has('bitmaps')) return undefined;
  const { clusterSize } = header;
  const { data } = extension;
  const invalid = (bitmap: number | undefined, expected: string, got: string): undefined => {
    const place = bitmap === undefined ? {} : { bitmap };
    log.add('bitmap-directory-invalid', 1, () => ({ ...place, structure: 'bitmap', expected, got }));
  };
  if (data.length < EXTENSION_LENGTH) {
    return invalid(undefined, `an extension of ${EXTENSION_LENGTH} bytes`, `${data.length}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = view.getUint32(0);
  const length = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
  const offset = view.getUint32(16) * 2 ** 32 + view.getUint32(20);
  if (count === 0 || count > MAX_BITMAPS || length > MAX_BITMAPS * MAX_ENTRY) {
    return invalid(undefined, `1 to ${MAX_BITMAPS} bitmaps`, `${count} in ${length} bytes`);
  }
  if (view.getUint32(20) % clusterSize !== 0) {
    return invalid(undefined, `a directory at a multiple of ${clusterSize}`, `${offset}`);
  }
  const directory = { offset, length };
  const tables: BitmapTable[] = [];
  let at = 0;
  for (let bitmap = 0; bitmap < count; bitmap += 1) {
    const entry = decodeBitmapEntry(await readBytes(file, offset + at, FIXED), clusterSize);
    at += entry.length;
    if (entry.problem !== undefined || at > length) {
      invalid(bitmap, `an entry within ${length} bytes`, entry.problem ?? `one to ${at}`);
      return { directory, tables };
    }
    tables.push({ offset: entry.tableOffset, length: entry.tableLength, bitmap });
  }
  if (at !== length) invalid(undefined, `a directory of ${length} bytes`, `${at}`);
  return { directory, tables };
}
