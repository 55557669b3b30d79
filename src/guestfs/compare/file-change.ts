import type { Inode } from '../inode.ts';

/**
 * What a change of a file touches: `content` (the bytes of a file, the target of a symlink, the numbers of a device),
 * `type`, `mode`, `owner`, `time` (of modification), `attributes` (extended ones, with access control lists).
 */
export type ChangedAspect = 'type' | 'content' | 'mode' | 'owner' | 'time' | 'attributes';

/** What of an inode is told of a file that changed. */
export type FileFacts = Pick<
  Inode,
  'number' | 'type' | 'mode' | 'uid' | 'gid' | 'size' | 'mtime' | 'crtime' | 'generation'
>;

/** A file that is not what it was, or not where it was. */
export interface FileChange {
  readonly kind: 'added' | 'modified' | 'deleted' | 'renamed';
  /** Where it is, of a deleted one where it was: from the root on, without a slash before it; empty: the root itself. */
  readonly path: Buffer;
  /** Where it was, if that is elsewhere: it was renamed, or it was modified and a directory above it renamed. */
  readonly oldPath: Buffer | null;
  /** Null of an added file. */
  readonly before: FileFacts | null;
  /** Null of a deleted file. */
  readonly after: FileFacts | null;
  /** What differs between the two; empty of what was added, deleted, or renamed and nothing else. */
  readonly aspects: readonly ChangedAspect[];
}

/** Takes of an inode what is kept of it. */
export function factsOf(inode: Inode): FileFacts {
  const { number, type, mode, uid, gid, size, mtime, crtime, generation } = inode;
  return { number, type, mode, uid, gid, size, mtime, crtime, generation };
}
