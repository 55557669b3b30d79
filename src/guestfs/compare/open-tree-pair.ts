import type { FileTree, MayDiffer } from '../file-tree.ts';
import type { OpenVolumeOptions } from '../guest-volume.ts';
import type { OpenedVolume } from '../open-chosen-volume.ts';
import type { ChangedBlocks } from './changed-blocks.ts';
import type { WholePair } from './pair-volumes.ts';
import type { TreePair } from './tree-pair.ts';

/**
 * Opens the file systems of two volumes that belong together.
 *
 * @param changed where the disks may differ; undefined: anywhere. What journals put in the place of blocks is added.
 * @throws CalveError what opening them throws
 */
export async function openTreePair(
  stack: AsyncDisposableStack,
  { before, after }: WholePair,
  changed: ChangedBlocks | undefined,
  options: OpenVolumeOptions,
): Promise<TreePair> {
  const old = { volume: before, tree: stack.use(await before.open(options)) };
  const now = { volume: after, tree: stack.use(await after.open(options)) };
  return treePair(old, now, changed);
}

/** Two file systems that are open, as a pair. @param changed as for `openTreePair` */
export function treePair(
  before: OpenedVolume,
  after: OpenedVolume,
  changed: ChangedBlocks | undefined,
): TreePair {
  const trees = { before: before.tree, after: after.tree };
  const [old, now] = [before.volume, after.volume];
  return {
    ...trees,
    mayDiffer: changed === undefined ? undefined : withReplayed(changed, [trees.before, trees.after]),
    sameNumbers: old.kind === now.kind && old.uuid === now.uuid && trees.before.kind === trees.after.kind,
  };
}

/** Undefined when nobody can tell where a journal was replayed. */
function withReplayed(changed: ChangedBlocks, trees: readonly FileTree[]): MayDiffer | undefined {
  for (const { replayedBlocks, replayedRanges } of trees) {
    if (replayedBlocks === 0) continue;
    if (replayedRanges === undefined) return undefined;
    for (const range of replayedRanges) changed.mark(range);
  }
  return changed.has;
}
