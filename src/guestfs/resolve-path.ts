import { CalveError } from '../errors/index.ts';
import type { FileTree } from './file-tree.ts';
import type { Inode } from './inode.ts';
import { printablePath } from './printable-path.ts';

/** As many symlinks as Linux follows on the way to one file. */
const MOST_SYMLINKS = 40;
const SLASH = 0x2f;

/** Finds a name in a directory, as a file system compares names. */
type FindName = (directory: Inode, name: Buffer) => Promise<Inode | undefined>;

/**
 * Finds the inode of a path in any file system, as the guest would: symlinks lead to places in the same file system,
 * absolute ones from its root on, and `..` of the root is the root.
 *
 * @param find what a name in a directory leads to; without it, names are what their bytes are
 * @throws CalveError `not-found`, `invalid`
 */
export async function resolvePath(
  tree: FileTree,
  path: string | Uint8Array,
  follow: boolean,
  find: FindName = (directory, name) => findExactly(tree, directory, name),
): Promise<Inode> {
  const whole = Buffer.from(path);
  const root = await tree.root();
  /** The directories that lead to where we are; `..` goes back along them. */
  let way: Inode[] = [];
  let here = root;
  /** What is left of the path, the next name last. */
  const left = names(whole).reverse();
  const mustBeDirectory = whole.at(-1) === SLASH;
  let symlinks = 0;
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const word = name.toString('latin1');
    if (here.type !== 'directory') throw notFound(whole, 'a part of it is no directory');
    if (word === '.') continue;
    if (word === '..') {
      here = way.pop() ?? root;
      continue;
    }
    const found = await find(here, name);
    if (found === undefined) throw notFound(whole);
    if (found.type !== 'symlink' || (left.length === 0 && !follow && !mustBeDirectory)) {
      way.push(here);
      here = found;
      continue;
    }
    symlinks += 1;
    if (symlinks > MOST_SYMLINKS) {
      throw new CalveError(
        'invalid',
        `${printablePath(whole)}: more than ${MOST_SYMLINKS} symlinks on the way`,
      );
    }
    const target = await tree.readLink(found);
    if (target[0] === SLASH) {
      way = [];
      here = root;
    }
    left.push(...names(target).reverse());
  }
  if (mustBeDirectory && here.type !== 'directory') throw notFound(whole, 'it is no directory');
  return here;
}

async function findExactly(tree: FileTree, directory: Inode, name: Buffer): Promise<Inode | undefined> {
  for await (const entry of tree.list(directory)) if (entry.name.equals(name)) return tree.stat(entry.inode);
  return undefined;
}

/** The names of a path, without the empty ones that several slashes make. */
function names(path: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf(SLASH, at);
    const end = slash < 0 ? path.length : slash;
    if (end > at) found.push(path.subarray(at, end));
    at = end + 1;
  }
  return found;
}

function notFound(path: Buffer, reason = 'no such file in the guest'): CalveError {
  return new CalveError('not-found', `${printablePath(path)}: ${reason}`);
}
