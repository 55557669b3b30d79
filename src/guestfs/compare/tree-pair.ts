import type { FileTree, MayDiffer } from '../file-tree.ts';

/** Two file systems that are compared. */
export interface TreePair {
  readonly before: FileTree;
  readonly after: FileTree;
  /** Where the two disks may differ, as the trees see them; undefined: anywhere. */
  readonly mayDiffer: MayDiffer | undefined;
  /** Whether a number means the same inode on both sides: one file system in two states. */
  readonly sameNumbers: boolean;
}
