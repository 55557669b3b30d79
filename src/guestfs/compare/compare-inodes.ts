import type { ExtendedAttribute, FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import type { ChangedAspect } from './file-change.ts';
import { sameContent } from './same-content.ts';
import type { TreePair } from './tree-pair.ts';

/**
 * What differs between a file as it was and as it is. Of a directory neither names nor sizes are looked at; times of
 * reading and of changes of the inode count nowhere.
 *
 * @param options.sameContent it is known that they hold the same
 */
export async function compareInodes(
  trees: TreePair,
  old: Inode,
  now: Inode,
  {
    signal,
    sameContent: known = false,
  }: { readonly signal?: AbortSignal | undefined; readonly sameContent?: boolean } = {},
): Promise<ChangedAspect[]> {
  if (isUntouched(trees, old, now)) return [];
  const found: ChangedAspect[] = [];
  if (old.type !== now.type) found.push('type');
  else if (!known && !(await holdsTheSame(trees, old, now, signal))) found.push('content');
  if (old.mode !== now.mode) found.push('mode');
  if (old.uid !== now.uid || old.gid !== now.gid) found.push('owner');
  if (old.mtime !== now.mtime) found.push('time');
  if (!sameAttributes(await sorted(trees.before, old), await sorted(trees.after, now)))
    found.push('attributes');
  return found;
}

/**
 * Whether an inode says by its times that nobody changed it. That is believed only where nobody can tell where files lie:
 * libguestfs would have to read both disks whole. No program can set the time of change of an inode, but by setting the clock.
 */
function isUntouched({ before, after, sameNumbers }: TreePair, old: Inode, now: Inode): boolean {
  if (!sameNumbers || before.extents !== undefined || after.extents !== undefined) return false;
  return (['number', 'type', 'mode', 'uid', 'gid', 'size', 'mtime', 'ctime'] as const).every(
    (aspect) => old[aspect] === now[aspect],
  );
}

/** Of two files of one type. */
async function holdsTheSame(trees: TreePair, old: Inode, now: Inode, signal?: AbortSignal): Promise<boolean> {
  if (now.type === 'file') return old.size === now.size && (await sameContent(trees, old, now, signal));
  if (now.type === 'symlink') {
    return (await trees.before.readLink(old)).equals(await trees.after.readLink(now));
  }
  return old.device?.major === now.device?.major && old.device?.minor === now.device?.minor;
}

async function sorted(tree: FileTree, inode: Inode): Promise<ExtendedAttribute[]> {
  return (await tree.xattrs(inode)).sort((a, b) => Buffer.compare(a.name, b.name));
}

function sameAttributes(a: readonly ExtendedAttribute[], b: readonly ExtendedAttribute[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, value }, at) => {
      const other = b[at];
      return other !== undefined && name.equals(other.name) && value.equals(other.value);
    })
  );
}
