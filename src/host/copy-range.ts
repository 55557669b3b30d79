import { CalveError, errnoOf, systemError } from '../errors/index.ts';
import { type Libc, libcIfAny } from './libc.ts';

/** How a copy is watched and ended. */
export interface CopyOptions {
  readonly signal?: AbortSignal;
  /** Called as bytes are copied, with all that are done and all there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What copying takes of a file. */
interface CopyEnd {
  readonly path: string;
  readonly fd: number;
  read(into: Uint8Array, offset: number): Promise<number>;
  write(from: Uint8Array, offset: number): Promise<void>;
}

/** Bytes a system call: long enough to cost nothing, short enough to stop soon after an abort. */
const KERNEL_STEP = 16 * 1024 * 1024;
const BUFFER_STEP = 1024 * 1024;

/** copy_file_range(2) says so where the kernel cannot copy between these two files. */
const NOT_IN_KERNEL = ['EXDEV', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EPERM', 'ETXTBSY'];

/** Copies a range of one file into another, in the kernel where that can be done. */
export async function copyRange(
  source: CopyEnd,
  from: number,
  target: CopyEnd,
  to: number,
  length: number,
  options: CopyOptions,
  library: Libc | null = libcIfAny() ?? null,
): Promise<void> {
  let copy = library ? kernelCopy(library, source, target) : bufferCopy(source, target);
  let done = 0;
  while (done < length) {
    if (options.signal?.aborted) {
      throw new CalveError('aborted', `copying ${source.path} to ${target.path} was ended`, {
        cause: options.signal.reason,
      });
    }
    const count = await copy(from + done, to + done, length - done);
    if (count === undefined) {
      copy = bufferCopy(source, target);
    } else if (count === 0) {
      const range = `${length} bytes at ${from}`;
      throw new CalveError(
        'out-of-range',
        `expected ${range} in ${source.path}, which ends at ${from + done}`,
      );
    } else {
      done += count;
      options.onProgress?.(done, length);
    }
  }
}

/** Copies the beginning of a range and returns its length: 0 at the end of the source, undefined if unable. */
type Copy = (from: number, to: number, length: number) => Promise<number | undefined>;

function kernelCopy(library: Libc, source: CopyEnd, target: CopyEnd): Copy {
  return async (from, to, length) => {
    for (;;) {
      try {
        const count = await library.copyRange(source.fd, from, target.fd, to, Math.min(length, KERNEL_STEP));
        // Nothing copied should be the end of the source; some file systems say so of what they cannot copy.
        return count || undefined;
      } catch (error) {
        const errno = errnoOf(error);
        if (errno !== undefined && NOT_IN_KERNEL.includes(errno)) return undefined;
        if (errno !== 'EINTR') throw systemError(`cannot copy ${source.path} to ${target.path}`, error);
      }
    }
  };
}

function bufferCopy(source: CopyEnd, target: CopyEnd): Copy {
  let buffer: Uint8Array | undefined;
  return async (from, to, length) => {
    buffer ??= new Uint8Array(Math.min(length, BUFFER_STEP));
    const count = await source.read(buffer.subarray(0, Math.min(length, buffer.length)), from);
    await target.write(buffer.subarray(0, count), to);
    return count;
  };
}
