import { isDeepStrictEqual } from 'node:util';
import type { Disk } from '../../disk/index.ts';
import { type DifferenceOptions, differences, type Range } from '../../img/index.ts';
import type { DiskRange } from '../file-tree.ts';
import type { GuestVolume } from '../guest-volume.ts';
import type { ChangedBlocks } from './changed-blocks.ts';
import type { WholePair } from './pair-volumes.ts';

/** A volume of two disks, and the logical volumes of both, which are told of by themselves. */
export interface ComparedPair {
  readonly pair: WholePair;
  readonly logical: readonly GuestVolume[];
}

/** Bytes of the blocks in which a volume of two disks differs; of a physical volume, those that no logical one holds. */
export async function differingBytes(
  before: Disk,
  after: Disk,
  changed: ChangedBlocks,
  { pair, logical }: ComparedPair,
  signal: AbortSignal | undefined,
): Promise<number> {
  const places = samePlaces(pair);
  if (places !== undefined) {
    const held = pair.after.kind === 'lvm' ? logical.flatMap(({ ranges }) => ranges) : [];
    const within = places.flatMap(({ offset, length }) => [...gaps(changed, held, offset, offset + length)]);
    return sum(before, after, { within: eachOf(within), ...given(signal) });
  }
  await using old = pair.before.content();
  await using now = pair.after.content();
  return sum(old, now, given(signal));
}

/** Where a volume lies on both disks, as long as the longer one; undefined where that is not the same. */
function samePlaces({ before, after }: WholePair): readonly DiskRange[] | undefined {
  const [old, now] = [before.ranges[0], after.ranges[0]];
  if (before.ranges.length <= 1 && after.ranges.length <= 1 && old?.offset === now?.offset) {
    const length = Math.max(old?.length ?? 0, now?.length ?? 0);
    return now === undefined ? [] : [{ offset: now.offset, length }];
  }
  return isDeepStrictEqual(before.ranges, after.ranges) ? after.ranges : undefined;
}

/** Bytes of the blocks in which two disks differ where neither has one of these volumes. */
export async function differingOutside(
  before: Disk,
  after: Disk,
  changed: ChangedBlocks,
  volumes: readonly GuestVolume[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const held = volumes.filter(({ isLogical }) => !isLogical).flatMap(({ ranges }) => ranges);
  const within = eachOf(gaps(changed, held, 0, Math.max(before.size, after.size)));
  return sum(before, after, { within, ...given(signal) });
}

/** What changed from one byte on up to another, but for what lies in the ranges. */
function* gaps(
  changed: ChangedBlocks,
  held: readonly DiskRange[],
  start: number,
  end: number,
): Generator<Range> {
  let at = start;
  for (const { offset, length } of [...held].sort((a, b) => a.offset - b.offset)) {
    if (offset >= end) break;
    if (offset > at) yield* changed.within(at, offset - at);
    at = Math.max(at, offset + length);
  }
  if (end > at) yield* changed.within(at, end - at);
}

async function sum(before: Disk, after: Disk, options: DifferenceOptions): Promise<number> {
  let bytes = 0;
  // As finely as disks are written: partitions need not begin where a block of more does.
  for await (const { length } of differences(before, after, { blockSize: 512, ...options })) bytes += length;
  return bytes;
}

async function* eachOf(ranges: Iterable<Range>): AsyncGenerator<Range> {
  yield* ranges;
}

function given(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
