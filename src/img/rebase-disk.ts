import { isZero } from '../bytes/index.ts';
import { type Disk, extentsOf } from '../disk/index.ts';
import type { NewBacking, Qcow2Disk } from '../qcow2/index.ts';
import { coveringBlocks } from './covering-blocks.ts';
import type { Range } from './ranges.ts';
import { readZeroExtended } from './read-zero-extended.ts';

/** What an image is rebased on. */
export interface RebaseOptions {
  /** What the header is going to name; null for no backing file. */
  readonly backing: NewBacking | null;
  /** That file as a disk, null for none. Past its end it reads zeros. */
  readonly disk: Disk | null;
  /**
   * Where the new backing file is in the image's chain already: how many disks lie above it, 1 for the present one. What
   * none of them holds is not compared.
   */
  readonly depth?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes passed so far and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Bytes compared at a time; a multiple of all sizes of clusters. */
const CHUNK = 2 << 20;

/**
 * Bases an image on another backing file without a change of what it reads: first whatever the new one has otherwise is
 * written into the image and made durable, then one write of the header goes over to it. Cut off at any moment, the image
 * reads the same, and names the old backing file or the new one. The image is to be closed afterwards.
 * @throws CalveError as `Qcow2Disk.changeBacking`, ahead of any change; what the disks throw; the signal's reason
 *
 * @example
 * await rebaseDisk(overlay, { backing: { file: 'new.qcow2', format: 'qcow2' }, disk: await openQcow2('new.qcow2') });
 */
export async function rebaseDisk(image: Qcow2Disk, options: RebaseOptions): Promise<void> {
  const { backing, disk, signal, onProgress } = options;
  await image.checkBacking(backing);
  const { clusterSize, incompatible } = image.header;
  const blockSize = incompatible.has('extended L2 entries') ? clusterSize / 32 : clusterSize;
  const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  for await (const { offset, length } of coveringBlocks(
    rangesToCompare(image, options),
    blockSize,
    image.size,
  )) {
    for (let at = offset; at < offset + length; at += CHUNK) {
      signal?.throwIfAborted();
      const bytes = Math.min(CHUNK, offset + length - at);
      const [wanted, there] = [left.subarray(0, bytes), right.subarray(0, bytes)];
      await Promise.all([image.read(wanted, at), disk ? readZeroExtended(disk, there, at) : there.fill(0)]);
      if (!wanted.equals(there)) await keep(image, wanted, there, at, blockSize);
      onProgress?.(at + bytes, image.size);
    }
  }
  signal?.throwIfAborted();
  await image.changeBacking(backing);
}

/** Writes the blocks that would read otherwise, those of zeros as zeros; neighbours together. */
async function keep(
  image: Qcow2Disk,
  wanted: Buffer,
  there: Buffer,
  offset: number,
  blockSize: number,
): Promise<void> {
  const kindAt = (from: number): 'same' | 'zero' | 'data' => {
    const block = wanted.subarray(from, from + blockSize);
    if (block.equals(there.subarray(from, from + blockSize))) return 'same';
    return isZero(block) ? 'zero' : 'data';
  };
  let from = 0;
  while (from < wanted.length) {
    const kind = kindAt(from);
    let to = from + blockSize;
    while (to < wanted.length && kindAt(to) === kind) to += blockSize;
    to = Math.min(to, wanted.length);
    if (kind === 'data') await image.write(wanted.subarray(from, to), offset + from);
    else if (kind === 'zero') await image.pinZeroes(offset + from, to - from);
    from = to;
  }
}

/** What the image does not hold itself, and may not read the same over the new backing file. */
async function* rangesToCompare(image: Qcow2Disk, { disk, depth }: RebaseOptions): AsyncGenerator<Range> {
  for await (const extent of extentsOf(image, 0, image.size)) {
    if (extent.depth === 0 && extent.kind !== 'unallocated') continue;
    const isNowhere = extent.kind === 'unallocated';
    if (depth !== undefined && extent.depth >= depth && !isNowhere) continue;
    if (extent.kind === 'data') yield extent;
    else if (disk !== null) yield* dataOf(disk, extent);
  }
}

/** Where zeros are to be read, only data of the new backing file can differ. */
async function* dataOf(disk: Disk, { offset, length }: Range): AsyncGenerator<Range> {
  const there = Math.min(length, disk.size - offset);
  if (there <= 0) return;
  for await (const lower of extentsOf(disk, offset, there)) if (lower.kind === 'data') yield lower;
}
