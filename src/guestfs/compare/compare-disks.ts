import { isDeepStrictEqual } from 'node:util';
import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { Range } from '../../img/index.ts';
import { wantedVolume } from '../choose-volume.ts';
import type { FileSystemKind } from '../file-system-kind.ts';
import type { GuestVolume } from '../guest-volume.ts';
import { listVolumes } from '../list-volumes.ts';
import { ChangedBlocks } from './changed-blocks.ts';
import { compareTrees } from './compare-trees.ts';
import { differingBytes, differingOutside } from './differing-bytes.ts';
import type { FileChange } from './file-change.ts';
import { findRenames } from './find-renames.ts';
import { openTreePair } from './open-tree-pair.ts';
import { pairVolumes, type VolumePair, type WholePair } from './pair-volumes.ts';

/** A partition, or a whole disk, that is compared. */
export interface ComparedVolume {
  /** As Linux counts partitions, on the second disk where it has it; 0: the whole disk; null: what lies in no partition. */
  readonly number: number | null;
  /** `GROUP/NAME` of a logical volume, whose number is that of the partition it begins in; else null. */
  readonly logicalVolume: string | null;
  readonly kind: FileSystemKind | null;
  readonly label: string | null;
  /** In words: `partition 2 (ext4, "root")`. */
  readonly description: string;
  /** Whether files of no other are compared, so that a path alone says where it is. */
  readonly isOnly: boolean;
}

/** One thing in which two disks differ. */
export type DiskDifference =
  | { readonly what: 'file'; readonly volume: ComparedVolume; readonly change: FileChange }
  /** A volume that one disk has and the other has not; `bytes` long. */
  | {
      readonly what: 'volume';
      readonly volume: ComparedVolume;
      readonly kind: 'added' | 'deleted';
      readonly bytes: number;
    }
  /** Blocks of what has no files that can be read: `bytes` of them differ. */
  | {
      readonly what: 'blocks';
      readonly volume: ComparedVolume;
      readonly bytes: number;
      readonly reason: string;
    };

/** How disks are compared. */
export interface DiskCompareOptions {
  /** The only ranges in which the disks may differ (default: everywhere). They are gathered ahead. */
  readonly within?: AsyncIterable<Range> | undefined;
  /** Only this partition: its number, or label or UUID (default: all that there is). */
  readonly partition?: string | undefined;
  /** Tell what was deleted in one place and added in another as one (default true). */
  readonly renames?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What differs between two disks: files, where their file systems can be read; of anything else how many bytes of
 * blocks. Nothing is left out.
 *
 * @param before stays open
 * @param after stays open
 * @throws CalveError `corrupt`, `not-found` for a partition that neither disk has; `unsupported`, `aborted`, `io`
 */
export async function* compareDisks(
  before: Disk,
  after: Disk,
  options: DiskCompareOptions = {},
): AsyncGenerator<DiskDifference> {
  const { within, partition, signal } = options;
  const changed = new ChangedBlocks(Math.max(before.size, after.size));
  if (within === undefined) changed.mark({ offset: 0, length: Math.max(before.size, after.size) });
  else for await (const range of within) changed.mark(range);
  const volumes = [await listVolumes(before), await listVolumes(after)] as const;
  const all = pairVolumes(...volumes);
  const pairs = partition === undefined ? all : wanted(all, volumes, partition);
  const logical = volumes.flat().filter(({ isLogical }) => isLogical);
  const isOnly = pairs.filter(isReadable).length <= 1;
  for (const pair of pairs) {
    const volume = describe(pair, isOnly);
    if (!isWhole(pair)) {
      const { size } = (pair.after ?? pair.before) as GuestVolume;
      yield { what: 'volume', volume, kind: pair.before === undefined ? 'added' : 'deleted', bytes: size };
      continue;
    }
    // Where nothing was written nothing is opened, either. What lies nobody knows where is told with the blocks around it.
    if (isSamePlace(pair) && !pair.after.ranges.some(({ offset, length }) => changed.has(offset, length)))
      continue;
    const reason = isReadable(pair)
      ? yield* compareFiles(pair, volume, within === undefined ? undefined : changed, options)
      : pair.after.kind === 'lvm'
        ? 'no files lie there'
        : 'its files cannot be read';
    if (reason === undefined) continue;
    const bytes = await differingBytes(before, after, changed, { pair, logical }, signal);
    if (bytes > 0) yield { what: 'blocks', volume, bytes, reason };
  }
  if (partition !== undefined) return;
  const bytes = await differingOutside(before, after, changed, volumes.flat(), signal);
  if (bytes > 0)
    yield { what: 'blocks', volume: { ...OUTSIDE, isOnly }, bytes, reason: 'no files lie there' };
}

const OUTSIDE = {
  number: null,
  logicalVolume: null,
  kind: null,
  label: null,
  description: 'outside of the partitions',
};

/** Resolves to why files cannot be compared; undefined when they were. */
async function* compareFiles(
  pair: WholePair,
  volume: ComparedVolume,
  changed: ChangedBlocks | undefined,
  { renames = true, signal }: DiskCompareOptions,
): AsyncGenerator<DiskDifference, string | undefined> {
  await using stack = new AsyncDisposableStack();
  let trees: Awaited<ReturnType<typeof openTreePair>>;
  try {
    trees = await openTreePair(stack, pair, changed, { signal });
  } catch (error) {
    if (CalveError.is(error, 'unsupported')) return error.message;
    throw error;
  }
  const roots = { before: await trees.before.root(), after: await trees.after.root() };
  const changes = compareTrees(trees, roots, '', { signal });
  for await (const change of renames ? findRenames(trees, changes, signal) : changes) {
    yield { what: 'file', volume, change };
  }
  return undefined;
}

function wanted(
  pairs: readonly VolumePair[],
  [before, after]: readonly [readonly GuestVolume[], readonly GuestVolume[]],
  partition: string,
): VolumePair[] {
  let found: GuestVolume;
  try {
    found = wantedVolume(after, partition);
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
    found = wantedVolume(before, partition);
  }
  return pairs.filter((pair) => pair.before === found || pair.after === found);
}

function isReadable({ before, after }: VolumePair): boolean {
  return before?.isReadable === true && after?.isReadable === true;
}

function isSamePlace({ before, after }: WholePair): boolean {
  return before.size === after.size && isDeepStrictEqual(before.ranges, after.ranges);
}

function isWhole(pair: VolumePair): pair is WholePair {
  return pair.before !== undefined && pair.after !== undefined;
}

function describe(pair: VolumePair, isOnly: boolean): ComparedVolume {
  const volume = (pair.after ?? pair.before) as GuestVolume;
  const { number, kind, label } = volume;
  const logicalVolume = volume.isLogical ? volume.name : null;
  return { number, logicalVolume, kind, label, description: volume.describe(), isOnly };
}
