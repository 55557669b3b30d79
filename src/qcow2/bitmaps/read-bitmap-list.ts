import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, EXTENSION } from '../constants.ts';
import type { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { Bitmap } from './bitmap.ts';
import {
  AUTO,
  BITMAPS_EXTENSION_BYTES,
  bitmapEntryFields,
  bitmapsExtension,
  ENTRY_FIELDS_BYTES,
  EXTRA_DATA_COMPATIBLE,
  entryLength,
  IN_USE,
} from './bitmap-fields.ts';
import { BitmapList } from './bitmap-list.ts';
import {
  type DirectoryProblem,
  entryProblem,
  extensionLengthProblem,
  extensionProblem,
} from './validate-directory.ts';

/**
 * The bitmaps of an image, their bits not read yet. Without the autoclear bit there are none: somebody wrote to the
 * image who did not keep them up (trap 32). A directory that cannot be right does not keep the disk from being read.
 * @throws CalveError `io`
 */
export async function readBitmapList(file: ImageFile, header: Qcow2Header): Promise<BitmapList> {
  const extension = header.extensions.find(({ type }) => type === EXTENSION.bitmaps);
  if (!extension || !header.autoclear.has('bitmaps')) return new BitmapList(file.path, []);
  try {
    const { data } = extension;
    refuse(file, 'the bitmaps extension', extensionLengthProblem(data));
    const fields = bitmapsExtension.decode(data.subarray(0, BITMAPS_EXTENSION_BYTES));
    refuse(file, 'the bitmaps extension', extensionProblem(fields, header.clusterSize));
    const directory = { offset: Number(fields.directoryOffset), length: Number(fields.directorySize) };
    const bytes = await file.readStructure('the bitmap directory', directory.offset, directory.length);
    return new BitmapList(file.path, decode(file, header, bytes, fields.bitmapCount), directory);
  } catch (error) {
    if (!CalveError.is(error, 'corrupt')) throw error;
    return new BitmapList(file.path, [], undefined, error);
  }
}

function decode(file: ImageFile, header: Qcow2Header, bytes: Uint8Array, count: number): Bitmap[] {
  const bitmaps: Bitmap[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const what = `bitmap ${index}`;
    const left = bytes.length - at;
    const misfit = (length: number): DirectoryProblem | undefined =>
      length > left ? { expected: `an entry within ${left} bytes`, got: `one of ${length}` } : undefined;
    refuse(file, what, misfit(ENTRY_FIELDS_BYTES));
    const fields = bitmapEntryFields.decode(bytes.subarray(at, at + ENTRY_FIELDS_BYTES));
    const length = entryLength(fields);
    refuse(file, what, entryProblem(fields, header) ?? misfit(length));
    const table = { offset: Number(fields.tableOffset), length: fields.tableSize * ENTRY_SIZE };
    if (table.offset > file.end - table.length) {
      refuse(file, what, {
        expected: 'a table inside the file',
        got: `one of ${table.length} at ${table.offset}`,
      });
    }
    const nameAt = ENTRY_FIELDS_BYTES + fields.extraDataSize;
    // Copies: the directory need not stay in memory.
    const extraData = bytes.slice(at + ENTRY_FIELDS_BYTES, at + nameAt);
    const nameBytes = bytes.slice(at + nameAt, at + nameAt + fields.nameSize);
    const extraDataCompatible = (fields.flags & EXTRA_DATA_COMPATIBLE) !== 0;
    const bitmap = new Bitmap(
      { nameBytes, granularityBits: fields.granularityBits, extraData, extraDataCompatible },
      { disk: header.size, cluster: header.clusterSize },
      {
        inconsistent: (fields.flags & IN_USE) !== 0,
        enabled: (fields.flags & AUTO) !== 0,
        table,
      },
    );
    if (names.has(bitmap.name)) refuse(file, what, { expected: 'a name of its own', got: bitmap.name });
    names.add(bitmap.name);
    bitmaps.push(bitmap);
    at += length;
  }
  const rest = bytes.length - at;
  if (rest > 0) refuse(file, 'the bitmap directory', { expected: `${at} bytes`, got: `${bytes.length}` });
  return bitmaps;
}

function refuse(file: ImageFile, what: string, problem: DirectoryProblem | undefined): void {
  if (!problem) return;
  const { expected, got } = problem;
  throw new CalveError('corrupt', `${file.path}: ${what}: expected ${expected}, got ${got}`, {
    hint: `a repair of ${file.path} drops the bitmaps and keeps the disk; make a full backup then`,
    data: { path: file.path },
  });
}
