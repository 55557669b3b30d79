import { isZero } from '../bytes/index.ts';
import { type Disk, type Extent, extentsOf, type WritableDisk, writeZeroesTo } from '../disk/index.ts';
import type { Range } from './ranges.ts';
import { readZeroExtended } from './read-zero-extended.ts';

/** Where to look for differences. */
export interface CopyDifferenceOptions {
  /** The only extents of the source in which it may differ from its base, in order. */
  readonly within: AsyncIterable<Extent>;
  /** Bytes of a block, which is copied whole or not at all (default 65536): a cluster of the target. */
  readonly blockSize?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the offset that was reached. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Bytes compared at a time. */
const CHUNK = 1 << 20;

/**
 * Makes a disk read as `source` that reads as `base` so far, by writing the blocks in which they differ; blocks of zeros
 * as zeros. Past its end `base` reads zeros. The target, of the source's size, is flushed.
 *
 * @throws CalveError what the disks throw; the signal's reason when it is aborted
 */
export async function copyDifference(
  source: Disk,
  base: Disk,
  target: WritableDisk,
  { within, blockSize = 65536, signal, onProgress }: CopyDifferenceOptions,
): Promise<void> {
  const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  let reached = 0;
  for await (const range of rangesToRead(within, base)) {
    const end = Math.min(source.size, Math.ceil((range.offset + range.length) / blockSize) * blockSize);
    const start = Math.max(reached, range.offset - (range.offset % blockSize));
    for (let at = start; at < end; at += CHUNK) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK, end - at);
      const [wanted, there] = [left.subarray(0, length), right.subarray(0, length)];
      await Promise.all([source.read(wanted, at), readZeroExtended(base, there, at)]);
      for (let from = 0; from < length; from += blockSize) {
        const block = wanted.subarray(from, from + blockSize);
        if (block.equals(there.subarray(from, from + blockSize))) continue;
        if (isZero(block)) await writeZeroesTo(target, at + from, block.length);
        else await target.write(block, at + from);
      }
      onProgress?.(at + length);
    }
    reached = Math.max(reached, end);
  }
  await target.flush();
}

/** Where the source is known to read zeros, only what the base holds there can differ. */
async function* rangesToRead(within: AsyncIterable<Extent>, base: Disk): AsyncGenerator<Range> {
  for await (const extent of within) {
    const below = Math.min(extent.length, base.size - extent.offset);
    if (extent.kind === 'data') yield extent;
    else if (below > 0) {
      for await (const lower of extentsOf(base, extent.offset, below)) if (lower.kind === 'data') yield lower;
    }
  }
}
