import { extentsOf, writeZeroesTo } from '../../../disk/index.ts';
import type { HostFile } from '../../../host/index.ts';
import type { ImgContext } from '../img-context.ts';
import { writableDisk } from '../opening/writable-disk.ts';
import type { ConvertSources } from './convert-sources.ts';
import type { ConvertWords } from './convert-words.ts';
import { ioWords } from './io-words.ts';
import type { ConvertTarget } from './open-target.ts';

/** Two files that hold the same bytes when all is done. */
interface FilePair {
  readonly from: HostFile;
  readonly to: HostFile;
}

/**
 * Lets the kernel copy one raw file to another: as a reflink, which shares what both hold, where the file system has them
 * and nothing else was asked for; with `-C` range by range.
 * @returns false, with nothing done, where that cannot be
 * @throws CalveError in qemu-img's words
 */
export async function offloadCopy(
  sources: ConvertSources,
  target: ConvertTarget,
  words: ConvertWords,
  context: ImgContext,
): Promise<boolean> {
  const pair = rawFiles(sources, target);
  if (pair === undefined) return false;
  if (isPlain(words) && isOfOneSize(pair, sources.disk.size) && pair.from.cloneTo(pair.to)) return true;
  if (!words.flags.has('copyOffload') || words.rate !== undefined) return false;
  await copyRanges(pair, sources, target, context);
  return true;
}

function rawFiles(
  { first, disk }: ConvertSources,
  { node, hasBacking }: ConvertTarget,
): FilePair | undefined {
  // Several sources, and snapshots, are disks of their own.
  if (hasBacking || disk !== first.disk) return undefined;
  return first.hostFile && node.hostFile && { from: first.hostFile, to: node.hostFile };
}

/** Nothing is asked for that a reflink does not give: room that is reserved, zeros looked for, a rate. */
function isPlain({ flags, options, rate, isSparseGiven }: ConvertWords): boolean {
  const asks = flags.has('noCreate') || flags.has('salvage') || isSparseGiven;
  return !asks && options === undefined && rate === undefined;
}

function isOfOneSize({ from, to }: FilePair, size: number): boolean {
  return from.stat().size === size && to.stat().size === size;
}

async function copyRanges(
  { from, to }: FilePair,
  { disk }: ConvertSources,
  { node, isZero }: ConvertTarget,
  { signal }: ImgContext,
): Promise<void> {
  const into = writableDisk(node.disk);
  for await (const { offset, length, kind } of extentsOf(disk, 0, disk.size)) {
    try {
      if (kind === 'data') await from.copyTo(to, offset, offset, length, { signal });
      else if (!isZero) await writeZeroesTo(into, offset, length);
    } catch (error) {
      signal.throwIfAborted();
      throw ioWords(`writing at byte ${offset}`, error);
    }
  }
  // The disk does not know what was written past it.
  await to.datasync();
}
