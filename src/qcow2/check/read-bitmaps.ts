import {
  BITMAPS_EXTENSION_BYTES,
  bitmapEntryFields,
  bitmapsExtension,
  ENTRY_FIELDS_BYTES,
  entryLength,
} from '../bitmaps/bitmap-fields.ts';
import {
  type DirectoryProblem,
  entryProblem,
  extensionLengthProblem,
  extensionProblem,
} from '../bitmaps/validate-directory.ts';
import { ENTRY_SIZE, EXTENSION } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { FindingLog } from './finding-log.ts';
import { readBytes } from './read-pieces.ts';
import type { TablePlace } from './table-segments.ts';

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
  const { data } = extension;
  const invalid = (bitmap: number | undefined, { expected, got }: DirectoryProblem): undefined => {
    const place = bitmap === undefined ? {} : { bitmap };
    log.add('bitmap-directory-invalid', 1, () => ({ ...place, structure: 'bitmap', expected, got }));
  };
  const tooShort = extensionLengthProblem(data);
  if (tooShort) return invalid(undefined, tooShort);
  const fields = bitmapsExtension.decode(data.subarray(0, BITMAPS_EXTENSION_BYTES));
  const problem = extensionProblem(fields, header.clusterSize);
  if (problem) return invalid(undefined, problem);
  const directory = { offset: Number(fields.directoryOffset), length: Number(fields.directorySize) };
  const tables: BitmapTable[] = [];
  let at = 0;
  for (let bitmap = 0; bitmap < fields.bitmapCount; bitmap += 1) {
    const bytes = await readBytes(file, directory.offset + at, ENTRY_FIELDS_BYTES);
    const entry = bitmapEntryFields.decode(bytes);
    at += entryLength(entry);
    const wrong = entryProblem(entry, header);
    if (wrong || at > directory.length) {
      const expected = `an entry within ${directory.length} bytes`;
      invalid(bitmap, wrong ?? { expected, got: `one to ${at}` });
      return { directory, tables };
    }
    tables.push({ offset: Number(entry.tableOffset), length: entry.tableSize * ENTRY_SIZE, bitmap });
  }
  if (at !== directory.length) {
    invalid(undefined, { expected: `a directory of ${at} bytes`, got: `${directory.length}` });
  }
  return { directory, tables };
}
