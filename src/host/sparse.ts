import { errnoOf } from '../errors/index.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, libcIfAny, SEEK_DATA, SEEK_HOLE } from './libc.ts';

/** A range of a file that is stored, or is not and reads zeros. Bytes. */
export interface FileExtent {
  readonly offset: number;
  /** Never 0. */
  readonly length: number;
  readonly kind: 'data' | 'hole';
}

/** `seekSparse` of one file. */
export type Seek = (offset: number, whence: number) => number | undefined;

/** Data and holes of a range, in order; all data where `seek` cannot tell. */
export function* sparseExtents(seek: Seek, offset: number, length: number): Generator<FileExtent> {
  const end = offset + length;
  let at = offset;
  while (at < end) {
    const data = Math.min(seek(at, SEEK_DATA) ?? at, end);
    if (data > at) yield { offset: at, length: data - at, kind: 'hole' };
    at = Math.min(seek(data, SEEK_HOLE) ?? end, end);
    if (at > data) yield { offset: data, length: at - data, kind: 'data' };
  }
}

/**
 * lseek(2) with SEEK_DATA or SEEK_HOLE: where the next data or hole begins, Infinity when there is none;
 * undefined where the platform or the file system cannot tell.
 */
export function seekSparse(fd: number, offset: number, whence: number): number | undefined {
  const library = libcIfAny();
  if (!library) return undefined;
  try {
    return library.seek(fd, offset, whence);
  } catch (error) {
    if (errnoOf(error) === 'ENXIO') return Number.POSITIVE_INFINITY;
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** fallocate(2) with FALLOC_FL_PUNCH_HOLE; false where it is not supported. */
export function punchHole(fd: number, offset: number, length: number): boolean {
  return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

/** fallocate(2); false where it is not supported. */
export function allocateRange(fd: number, offset: number, length: number): boolean {
  return fallocate(fd, 0, offset, length);
}

/** As `allocateRange`, but the size stays: room for what is written later. */
export function reserveRange(fd: number, offset: number, length: number): boolean {
  return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, length);
}

function fallocate(fd: number, mode: number, offset: number, length: number): boolean {
  const library = libcIfAny();
  if (!library) return false;
  while (length > 0) {
    try {
      library.fallocate(fd, mode, offset, length);
      break;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOTSUP' || errno === 'ENOSYS') return false;
      if (errno !== 'EINTR') throw error;
    }
  }
  return true;
}
