import { isZero } from '../bytes/index.ts';
import { type Disk, extentsOf, type WritableDisk, writeZeroesTo } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';

/** Bytes moved at a time: large enough that the cost of a call vanishes, small enough to stay in cache. */
const CHUNK = 1 << 20;

/** How a disk is copied. */
export interface CopyOptions {
  /** The target reads zeros everywhere, so zeros need no writing (default false). */
  readonly targetIsZero?: boolean;
  readonly signal?: AbortSignal;
  /** Called after each piece with bytes passed so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Copies every byte of `source` to the start of `target`, then flushes. What `source` knows to be zero is not
 * read, and runs of zeros inside data are not written as data.
 *
 * @throws CalveError `out-of-range` when the target is smaller than the source; `aborted`; what the disks throw
 */
export async function copyDisk(source: Disk, target: WritableDisk, options: CopyOptions = {}): Promise<void> {
  if (target.size < source.size) {
    throw new CalveError('out-of-range', `target holds ${target.size} bytes, source has ${source.size}`);
  }
  const total = source.size;
  const buffers = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)] as const;
  let turn = 0;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const extent of extentsOf(source, 0, total)) {
      const end = extent.offset + extent.length;
      for (let at = extent.offset; at < end; ) {
        options.signal?.throwIfAborted();
        const length = extent.kind === 'data' ? Math.min(CHUNK, end - at) : end - at;
        if (extent.kind === 'data') {
          // One buffer is read into while the other is being written.
          const buffer = (turn++ % 2 === 0 ? buffers[0] : buffers[1]).subarray(0, length);
          await Promise.all([source.read(buffer, at), writing]);
          writing = writePiece(target, buffer, at, options.targetIsZero === true);
        } else if (options.targetIsZero !== true) {
          await writing;
          writing = writeZeroesTo(target, at, length);
        }
        at += length;
        options.onProgress?.(at, total);
      }
    }
  } catch (error) {
    await Promise.allSettled([writing]);
    if (options.signal?.aborted) throw new CalveError('aborted', 'the copy was cancelled', { cause: error });
    throw error;
  }
  await writing;
  await target.flush();
}

/** Zeros are told from data in steps of this many bytes: a usual cluster. */
const GRAIN = 65536;

/** Writes a piece, its runs of zeros as zeros. */
async function writePiece(
  target: WritableDisk,
  piece: Buffer,
  offset: number,
  targetIsZero: boolean,
): Promise<void> {
  for (let from = 0; from < piece.length; ) {
    const zero = isZero(piece.subarray(from, from + GRAIN));
    let to = Math.min(from + GRAIN, piece.length);
    while (to < piece.length && isZero(piece.subarray(to, to + GRAIN)) === zero) {
      to = Math.min(to + GRAIN, piece.length);
    }
    if (!zero) await target.write(piece.subarray(from, to), offset + from);
    else if (!targetIsZero) await writeZeroesTo(target, offset + from, to - from);
    from = to;
  }
}
