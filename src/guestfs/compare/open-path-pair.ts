import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { Range } from '../../img/index.ts';
import { wantedVolume } from '../choose-volume.ts';
import type { FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { listVolumes } from '../list-volumes.ts';
import { type OpenedVolume, openChosenVolume } from '../open-chosen-volume.ts';
import { ChangedBlocks } from './changed-blocks.ts';
import { compareTrees } from './compare-trees.ts';
import { treePair } from './open-tree-pair.ts';
import { sameContent } from './same-content.ts';

/** A file of a file system that is open. */
export interface PathSide {
  readonly tree: FileTree;
  readonly inode: Inode;
}

/** What a path leads to on two disks; undefined: nothing. */
export interface PathPair {
  readonly before: PathSide | undefined;
  readonly after: PathSide | undefined;
  /** Whether the two differ: in existence, content, attributes, or anything below a directory. */
  differ(signal?: AbortSignal): Promise<boolean>;
  /** Whether two regular files hold different bytes; true unless there are two. */
  contentDiffers(signal?: AbortSignal): Promise<boolean>;
}

/** How a path is looked up. */
export interface PathOptions {
  /** The only ranges in which the disks may differ (default: everywhere). */
  readonly within?: AsyncIterable<Range> | undefined;
  /** The volume: its number or name, or label or UUID (default: the one that looks like the root). */
  readonly partition?: string | undefined;
  /** Follow a symlink at the end of the path; those on the way always are. */
  readonly follow: boolean;
  /** Ends what has to be started for reading, also later. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens what a path leads to on two disks. A disk without such a partition, or without any file system, has no file of this path.
 *
 * @param stack closes the file systems; the disks stay open
 * @throws CalveError `usage` when a disk has several file systems; `corrupt`, `io`; what opening file systems throws
 */
export async function openPathPair(
  stack: AsyncDisposableStack,
  before: Disk,
  after: Disk,
  path: string,
  options: PathOptions,
): Promise<PathPair> {
  const { within, follow } = options;
  const find = async (opened: OpenedVolume | undefined): Promise<PathSide | undefined> =>
    opened === undefined ? undefined : lookup(opened.tree, path, follow);
  const old = await openVolumeOf(stack, before, options);
  const now = await openVolumeOf(stack, after, options);
  if (old === undefined || now === undefined) {
    const sides = { before: await find(old), after: await find(now) };
    const isThere = sides.before !== undefined || sides.after !== undefined;
    return { ...sides, differ: async () => isThere, contentDiffers: async () => isThere };
  }
  const changed = within && new ChangedBlocks(Math.max(before.size, after.size));
  if (within !== undefined) for await (const range of within) changed?.mark(range);
  const trees = treePair(old, now, changed);
  const sides = {
    before: await lookup(trees.before, path, follow),
    after: await lookup(trees.after, path, follow),
  };
  return {
    ...sides,
    differ: async (signal) => {
      const pair = { before: sides.before?.inode, after: sides.after?.inode };
      for await (const _ of compareTrees(trees, pair, '', { signal })) return true;
      return false;
    },
    contentDiffers: async (signal) => {
      const [old, now] = [sides.before?.inode, sides.after?.inode];
      if (old === undefined || now === undefined || old.size !== now.size) return true;
      return !(await sameContent(trees, old, now, signal));
    },
  };
}

/** Undefined where the disk has no such volume, or nothing with files. */
async function openVolumeOf(
  stack: AsyncDisposableStack,
  disk: Disk,
  { partition, signal }: PathOptions,
): Promise<OpenedVolume | undefined> {
  const volumes = await listVolumes(disk);
  try {
    if (partition !== undefined) wantedVolume(volumes, partition);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
  if (partition === undefined && !volumes.some(({ isReadable }) => isReadable)) return undefined;
  const opened = await openChosenVolume(volumes, partition, { signal });
  stack.use(opened.tree);
  return opened;
}

async function lookup(tree: FileTree, path: string, follow: boolean): Promise<PathSide | undefined> {
  try {
    return { tree, inode: await tree.lookup(path, { follow }) };
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return undefined;
    throw error;
  }
}
