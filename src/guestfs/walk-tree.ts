import { CalveError } from '../errors/index.ts';
import { checkPathLength } from './check-path-length.ts';
import type { DirectoryEntry, FileTree } from './file-tree.ts';
import type { Inode } from './inode.ts';
import { sortedEntries } from './sorted-entries.ts';

const SLASH = Buffer.from('/');

/** A file that was come upon. */
export interface WalkedFile {
  /** From where the walk began, without a slash before it. */
  readonly path: Buffer;
  readonly inode: Inode;
}

/** How a directory is walked. */
export interface WalkOptions {
  /** Into directories below, too (default false). */
  readonly recursive?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The files in a directory by their names' bytes, each directory ahead of what is in it; the directory itself is left
 * out.
 *
 * @throws CalveError `corrupt` when a directory is met twice; `unsupported` for one that lies too deep; `aborted`; what the file system throws
 */
export async function* walkTree(
  tree: FileTree,
  directory: Inode,
  options: WalkOptions = {},
): AsyncGenerator<WalkedFile> {
  const seen = new Set([directory.number]);
  /** What is left of each directory on the way down. */
  const way = [{ prefix: Buffer.alloc(0), names: sortedNames(tree, directory) }];
  for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
    if (options.signal?.aborted === true) throw new CalveError('aborted', 'the walk was ended');
    const next = await here.names.next();
    if (next.done === true) {
      way.pop();
      continue;
    }
    const path = Buffer.concat([here.prefix, next.value.name]);
    const inode = await tree.stat(next.value.inode);
    yield { path, inode };
    if (options.recursive !== true || inode.type !== 'directory') continue;
    if (seen.has(inode.number)) {
      throw new CalveError('corrupt', `directory ${inode.number} has several names, as no directory may`);
    }
    checkPathLength(path.length);
    seen.add(inode.number);
    way.push({ prefix: Buffer.concat([path, SLASH]), names: sortedNames(tree, inode) });
  }
}

function sortedNames(tree: FileTree, directory: Inode): AsyncGenerator<DirectoryEntry> {
  return sortedEntries(tree.list(directory), (a, b) => Buffer.compare(a.name, b.name));
}
