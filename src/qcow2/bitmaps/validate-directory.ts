import type { Qcow2Header } from '../qcow2-header.ts';
import {
  AUTO,
  BITMAPS_EXTENSION_BYTES,
  type BitmapEntryFields,
  type BitmapsExtension,
  DIRTY_TRACKING,
  EXTRA_DATA_COMPATIBLE,
  IN_USE,
  MAX_BITMAP_BYTES,
  MAX_BITMAPS,
  MAX_DIRECTORY_BYTES,
  MAX_GRANULARITY_BITS,
  MAX_NAME_BYTES,
  MAX_TABLE_ENTRIES,
  MIN_GRANULARITY_BITS,
} from './bitmap-fields.ts';
import { bitmapSize } from './bitmap-size.ts';

/** What is not as it must be. */
export interface DirectoryProblem {
  readonly expected: string;
  readonly got: string;
}

const KNOWN_FLAGS = IN_USE | AUTO | EXTRA_DATA_COMPATIBLE;
const MAX_OFFSET = BigInt(Number.MAX_SAFE_INTEGER);

/** Whether the bytes of the header extension can be taken apart. */
export function extensionLengthProblem(data: Uint8Array): DirectoryProblem | undefined {
  if (data.length >= BITMAPS_EXTENSION_BYTES) return undefined;
  return { expected: `an extension of ${BITMAPS_EXTENSION_BYTES} bytes`, got: `${data.length}` };
}

/** Every check of the header extension's fields, ahead of any use of them (section "Bitmaps extension"). */
export function extensionProblem(
  { bitmapCount, directorySize, directoryOffset }: BitmapsExtension,
  clusterSize: number,
): DirectoryProblem | undefined {
  if (bitmapCount === 0 || bitmapCount > MAX_BITMAPS || directorySize > MAX_DIRECTORY_BYTES) {
    return { expected: `1 to ${MAX_BITMAPS} bitmaps`, got: `${bitmapCount} in ${directorySize} bytes` };
  }
  if (directoryOffset % BigInt(clusterSize) !== 0n || directoryOffset > MAX_OFFSET - directorySize) {
    return { expected: `a directory at a multiple of ${clusterSize}`, got: `${directoryOffset}` };
  }
  return undefined;
}

/**
 * Every check of a directory entry's fixed fields, ahead of any use of them (section "Bitmap directory"). A bitmap that
 * is in use may have the size of an earlier day.
 */
export function entryProblem(
  entry: BitmapEntryFields,
  { size, clusterSize }: Pick<Qcow2Header, 'size' | 'clusterSize'>,
): DirectoryProblem | undefined {
  const { tableOffset, tableSize, granularityBits, nameSize, flags, type } = entry;
  const problem = (expected: string, got: string): DirectoryProblem => ({ expected, got });
  if (tableOffset === 0n || tableOffset % BigInt(clusterSize) !== 0n) {
    return problem(`a table at a multiple of ${clusterSize}`, `${tableOffset}`);
  }
  if (tableSize === 0 || tableSize > MAX_TABLE_ENTRIES) {
    return problem(`a table of 1 to ${MAX_TABLE_ENTRIES} entries`, `${tableSize}`);
  }
  if (tableOffset > MAX_OFFSET - BigInt(tableSize) * 8n) {
    return problem('a table that ends below 2^53', `${tableOffset}`);
  }
  if ((flags & ~KNOWN_FLAGS) !== 0) return problem('reserved flags clear', `flags ${flags >>> 0}`);
  if (type !== DIRTY_TRACKING) return problem(`type ${DIRTY_TRACKING}`, `type ${type}`);
  if (granularityBits < MIN_GRANULARITY_BITS || granularityBits > MAX_GRANULARITY_BITS) {
    const range = `${MIN_GRANULARITY_BITS} to ${MAX_GRANULARITY_BITS}`;
    return problem(`granularity_bits of ${range}`, `${granularityBits}`);
  }
  if (nameSize === 0 || nameSize > MAX_NAME_BYTES) {
    return problem(`a name of 1 to ${MAX_NAME_BYTES} bytes`, `${nameSize}`);
  }
  if ((flags & IN_USE) !== 0) return undefined;
  const needed = bitmapSize(size, granularityBits, clusterSize);
  if (needed.bytes > MAX_BITMAP_BYTES) {
    return problem(`at most ${MAX_BITMAP_BYTES} bytes of bits`, `${needed.bytes}`);
  }
  if (tableSize !== needed.tableEntries) {
    return problem(`a table of ${needed.tableEntries} entries for a disk of ${size} bytes`, `${tableSize}`);
  }
  return undefined;
}
