import { type Disk, type Extent, extentsOf, type WritableDisk, writeZeroesTo } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { copyPieces } from './copy-pieces.ts';
import { inParallel } from './in-parallel.ts';
import { paceOf } from './pace.ts';
import { dataAndZeros } from './zero-runs.ts';

/** How a disk is copied. */
export interface CopyOptions {
  /** The target reads zeros everywhere, so zeros need no writing (default false). */
  readonly targetIsZero?: boolean;
  /** The only extents of the source that are copied, in order (default: all). What lies in none stays as it is. */
  readonly within?: AsyncIterable<Extent>;
  /**
   * Bytes of zeros inside data that are worth writing as zeros (default 65536: a usual cluster). 0: all zeros are written
   * as data.
   */
  readonly sparseSize?: number;
  /** Pieces that are under way at a time (default 4), of 2 MiB each: what bounds the memory. */
  readonly parallel?: number;
  /** A piece may be written ahead of those before it (default false), which may so be laid out behind it. */
  readonly outOfOrder?: boolean;
  /** Bytes of a second at most; undefined: as many as there can be. */
  readonly rate?: number | undefined;
  /** Data is written by it, in whole clusters (default: by the target's `write`). */
  readonly writeClusters?: ((from: Uint8Array, offset: number) => Promise<void>) | undefined;
  /** Bytes of these clusters. */
  readonly clusterSize?: number;
  readonly signal?: AbortSignal;
  /** Called after each piece with bytes passed so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called before each piece of data, with its bytes. */
  readonly onData?: (length: number) => void;
}

/** Bytes moved at a time: large enough that the cost of a call vanishes. */
const PIECE = 2 << 20;
const SECTOR = 512;

/**
 * Copies `source` to the start of `target`, then flushes. What `source` knows to be zero is not read, and runs of zeros
 * inside data are not written as data. After an error nothing is under way any more.
 *
 * @throws CalveError `out-of-range` when the target is smaller than the source; `aborted`; what the disks throw
 */
export async function copyDisk(source: Disk, target: WritableDisk, options: CopyOptions = {}): Promise<void> {
  const { size } = source;
  if (target.size < size) {
    throw new CalveError('out-of-range', `target holds ${target.size} bytes, source has ${size}`);
  }
  const { targetIsZero = false, sparseSize = 65_536, parallel = 4, outOfOrder = false } = options;
  const { clusterSize = SECTOR, signal } = options;
  const write = writerTo(target, options);
  const buffers: Buffer[] = [];
  const pace = paceOf(options.rate);
  let done = 0;
  let turn: Promise<void> = Promise.resolve();
  const within = withZeros(options.within ?? extentsOf(source, 0, size), sparseSize === 0);
  const pieces = copyPieces(within, { size, clusterSize, most: PIECE });
  try {
    await inParallel(pieces, parallel, async ({ offset, length, zero }, slot) => {
      signal?.throwIfAborted();
      const before = outOfOrder ? undefined : turn;
      const { promise, resolve } = Promise.withResolvers<void>();
      turn = promise;
      try {
        if (!zero) options.onData?.(length);
        if (!zero || !targetIsZero) await pace.pass(length, signal);
        if (zero) {
          await before;
          if (!targetIsZero) await writeZeroesTo(target, offset, length);
        } else {
          buffers[slot] ??= Buffer.allocUnsafe(PIECE);
          const buffer = buffers[slot].subarray(0, length);
          await source.read(buffer, offset);
          await before;
          const writing = write(buffer, offset);
          // Whoever comes next may begin to write: it is laid out behind this one.
          resolve();
          await writing;
        }
        done += length;
        options.onProgress?.(done, size);
      } finally {
        resolve();
      }
    });
  } catch (error) {
    if (signal?.aborted) throw new CalveError('aborted', 'the copy was cancelled', { cause: error });
    throw error;
  }
  if (done < size) options.onProgress?.(size, size);
  await target.flush();
}

/** Writes a piece of data, runs of zeros in it as zeros; all is begun before it returns. */
function writerTo(
  target: WritableDisk,
  { targetIsZero = false, sparseSize = 65_536, writeClusters }: CopyOptions,
): (piece: Buffer, offset: number) => Promise<void> {
  if (writeClusters !== undefined) return writeClusters;
  return async (piece, offset) => {
    const writes: Promise<void>[] = [];
    for (const { start, end, zero } of dataAndZeros(piece, sparseSize)) {
      if (!zero) writes.push(target.write(piece.subarray(start, end), offset + start));
      else if (!targetIsZero) writes.push(writeZeroesTo(target, offset + start, end - start));
    }
    const failed = (await Promise.allSettled(writes)).find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
}

async function* withZeros(extents: AsyncIterable<Extent>, asData: boolean): AsyncGenerator<Extent> {
  for await (const extent of extents) yield asData ? { ...extent, kind: 'data' } : extent;
}
