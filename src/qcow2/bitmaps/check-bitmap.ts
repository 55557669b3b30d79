import { CalveError } from '../../errors/index.ts';
import type { Geometry } from '../geometry.ts';
import { encodeHeader } from '../header.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { BitmapIdentity } from './bitmap.ts';
import {
  ENTRY_FIELDS_BYTES,
  entryLength,
  MAX_BITMAP_BYTES,
  MAX_BITMAPS,
  MAX_DIRECTORY_BYTES,
  MAX_GRANULARITY_BITS,
  MAX_NAME_BYTES,
  MIN_GRANULARITY_BITS,
} from './bitmap-fields.ts';
import type { BitmapList } from './bitmap-list.ts';
import { withDirectory } from './directory-writer.ts';

/** A bitmap to be made. */
export interface NewBitmap {
  /** 1 to 1023 bytes of UTF-8. */
  readonly name: string;
  /** Bytes of the disk that one bit stands for: a power of two, 512 to 2 GiB (default: a cluster, 4 to 64 KiB). */
  readonly granularity?: number;
  /** Whether changes of the disk are set in it (default true). */
  readonly enabled?: boolean;
}

const LEAST_DEFAULT = 4096;
const MOST_DEFAULT = 65_536;

/**
 * Every check of a bitmap to be made.
 * @throws CalveError `exists`; `usage` for the name or the granularity; `unsupported` in version 2, which has no
 *   autoclear bits; `out-of-range` for a disk that is too large, or empty, and for one bitmap too many
 */
export function newBitmap(
  wanted: NewBitmap,
  list: BitmapList,
  geometry: Geometry,
  header: Qcow2Header,
): { readonly identity: BitmapIdentity; readonly enabled: boolean } {
  const { path, bitmaps } = list;
  const { name, enabled = true } = wanted;
  const { clusterSize } = geometry;
  const granularity = wanted.granularity ?? Math.min(MOST_DEFAULT, Math.max(LEAST_DEFAULT, clusterSize));
  const data = { path, bitmap: name };
  if (header.version < 3) {
    throw new CalveError(
      'unsupported',
      `${path}: expected version 3 to keep bitmaps in, got ${header.version}`,
      {
        hint: `qemu-img amend -o compat=1.1 ${path}`,
        data,
      },
    );
  }
  const nameBytes = Uint8Array.from(Buffer.from(name));
  if (nameBytes.length === 0 || nameBytes.length > MAX_NAME_BYTES) {
    const expected = `a bitmap name of 1 to ${MAX_NAME_BYTES} bytes`;
    throw new CalveError('usage', `${path}: expected ${expected}, got ${nameBytes.length}`, { data });
  }
  const granularityBits = Math.log2(granularity);
  if (
    !Number.isInteger(granularityBits) ||
    granularityBits < MIN_GRANULARITY_BITS ||
    granularityBits > MAX_GRANULARITY_BITS
  ) {
    const expected = `a granularity that is a power of two from ${2 ** MIN_GRANULARITY_BITS} to ${2 ** MAX_GRANULARITY_BITS}`;
    throw new CalveError('usage', `${path}: expected ${expected}, got ${granularity}`, { data });
  }
  if (bitmaps.some((bitmap) => bitmap.name === name)) {
    throw new CalveError('exists', `${path} has a bitmap ${JSON.stringify(name)} already`, { data });
  }
  const entryBytes = entryLength({ nameSize: nameBytes.length, extraDataSize: 0 });
  if (bitmaps.length >= MAX_BITMAPS || list.directoryBytes + entryBytes > MAX_DIRECTORY_BYTES) {
    const most = `${MAX_BITMAPS} bitmaps, and a directory of ${MAX_DIRECTORY_BYTES} bytes`;
    throw new CalveError('out-of-range', `${path}: expected at most ${most}`, {
      hint: `remove bitmaps that nobody needs: qemu-img bitmap --remove ${path} NAME`,
      data,
    });
  }
  checkDiskSize(path, name, geometry.size, granularityBits);
  checkHeaderRoom(path, header);
  const identity = { nameBytes, granularityBits, extraData: new Uint8Array(), extraDataCompatible: false };
  return { identity, enabled };
}

/** @throws CalveError `out-of-range` for a disk that a bitmap of this granularity cannot be kept for */
export function checkDiskSize(path: string, name: string, diskSize: number, granularityBits: number): void {
  const granularity = 2 ** granularityBits;
  const most = MAX_BITMAP_BYTES * 8 * granularity;
  if (diskSize > 0 && diskSize <= most) return;
  const got = `${diskSize} bytes`;
  throw new CalveError(
    'out-of-range',
    `${path}: bitmap ${JSON.stringify(name)}: expected a disk of 1 to ${most} bytes for bits of ${granularity}, got ${got}`,
    { hint: 'use a larger granularity', data: { path, bitmap: name, size: diskSize, granularity } },
  );
}

/** The header has room for the extension, which is written when the image is closed: too late to refuse anything. */
function checkHeaderRoom(path: string, header: Qcow2Header): void {
  try {
    encodeHeader({
      ...header,
      extensions: withDirectory(header.extensions, 1, { offset: 0, length: ENTRY_FIELDS_BYTES }),
    });
  } catch (cause) {
    if (!CalveError.is(cause, 'invalid')) throw cause;
    throw new CalveError('out-of-range', `${path}: no room for the bitmaps extension: ${cause.message}`, {
      cause,
      hint: 'use a shorter name for the backing file',
      data: { path },
    });
  }
}
