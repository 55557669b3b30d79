import { extentsOf, type WritableDisk, writeZeroesTo } from '../../../disk/index.ts';
import { copyDisk } from '../../../img/index.ts';
import type { Qcow2Disk } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { writableDisk } from '../opening/writable-disk.ts';
import type { ProgressLine } from '../printing/progress-line.ts';
import { changedExtents } from './changed-extents.ts';
import { convertSource } from './convert-source.ts';
import type { ConvertSources } from './convert-sources.ts';
import type { ConvertWords } from './convert-words.ts';
import { ioWords } from './io-words.ts';
import { offloadCopy } from './offload-copy.ts';
import type { ConvertTarget } from './open-target.ts';

/** What is told of the work. */
export interface ConvertTelling {
  /** Undefined: nobody wants to know. */
  readonly progress: ProgressLine | undefined;
  readonly warn: (line: string) => void;
  readonly context: ImgContext;
}

/**
 * Copies what the guest sees.
 * @throws CalveError in qemu-img's words
 */
export async function convertData(
  sources: ConvertSources,
  target: ConvertTarget,
  words: ConvertWords,
  { progress, warn, context }: ConvertTelling,
): Promise<void> {
  if (await offloadCopy(sources, target, words, context)) return;
  const { flags, sparseSize, parallel, rate } = words;
  const source = convertSource(sources.disk, {
    salvages: flags.has('salvage'),
    isQuiet: flags.has('quiet'),
    warn,
  });
  const { node } = target;
  const compressed = flags.has('compress') ? node.qcow2 : undefined;
  const within = () =>
    target.hasBacking
      ? changedExtents(source, sources.first.backing?.disk.size, target.zeroFrom)
      : extentsOf(source, 0, source.size);
  let done = 0;
  const total = progress === undefined ? 0 : await bytesOfData(within(), sparseSize === 0);
  await copyDisk(source, convertWriter(writableDisk(node.disk)), {
    within: within(),
    targetIsZero: target.isZero && !target.hasBacking,
    sparseSize,
    parallel,
    outOfOrder: flags.has('outOfOrder'),
    rate,
    signal: context.signal,
    onData(length) {
      // As QEMU counts: it writes compressed clusters one by one.
      const step = compressed?.header.clusterSize ?? length;
      for (let left = length; left > 0; left -= step) {
        done += Math.min(step, left);
        progress?.update(done, total);
      }
    },
    ...(compressed !== undefined && {
      clusterSize: compressed.header.clusterSize,
      writeClusters: worded((from: Uint8Array, offset) => writeCompressed(compressed, from, offset)),
    }),
  });
}

/** Where the target goes on behind the source, the last cluster is written plain. */
async function writeCompressed(target: Qcow2Disk, from: Uint8Array, offset: number): Promise<void> {
  const isLast = offset + from.length === target.size;
  const whole = isLast ? from.length : from.length - (from.length % target.header.clusterSize);
  if (whole > 0) await target.writeCompressed(from.subarray(0, whole), offset);
  if (whole < from.length) await target.write(from.subarray(whole), offset + whole);
}

/** What `-p` counts. */
async function bytesOfData(extents: ReturnType<typeof extentsOf>, isAll: boolean): Promise<number> {
  let bytes = 0;
  for await (const { length, kind } of extents) if (isAll || kind === 'data') bytes += length;
  return bytes;
}

/** The target, with errors in qemu-img's words. It is not closed with it. */
function convertWriter(disk: WritableDisk): WritableDisk {
  const close = async () => {};
  return {
    size: disk.size,
    read: (into: Uint8Array, offset: number) => disk.read(into, offset),
    write: worded((from: Uint8Array, offset) => disk.write(from, offset)),
    writeZeroes: (offset, length, options) =>
      worded((bytes: number, at) => writeZeroesTo(disk, at, bytes, options))(length, offset),
    flush: () => disk.flush(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function worded<What>(
  change: (what: What, offset: number) => Promise<void>,
): (what: What, offset: number) => Promise<void> {
  return async (what, offset) => {
    try {
      await change(what, offset);
    } catch (error) {
      throw ioWords(`writing at byte ${offset}`, error);
    }
  };
}
