import { CalveError } from '../../errors/index.ts';
import type { FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { printablePath } from '../printable-path.ts';

const MOST_SYMLINKS = 40;

/** A path without symlinks, from the root of the guest's file system on, without a slash before it; and what is there. */
export interface RealPath {
  readonly path: Buffer;
  readonly inode: Inode;
}

/** Where a path leads, as the guest would follow it. @throws CalveError `not-found`, `invalid` */
export async function realPath(tree: FileTree, path: Buffer): Promise<RealPath> {
  const way: string[] = [];
  const left = names(path).reverse();
  let symlinks = 0;
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === '..') way.pop();
    if (name === '.' || name === '..') continue;
    const inode = await tree.lookup(joined([...way, name]), { follow: false });
    if (inode.type !== 'symlink') {
      way.push(name);
      continue;
    }
    symlinks += 1;
    if (symlinks > MOST_SYMLINKS) {
      throw new CalveError(
        'invalid',
        `${printablePath(path)}: more than ${MOST_SYMLINKS} symlinks on the way`,
      );
    }
    const target = await tree.readLink(inode);
    if (target[0] === 0x2f) way.length = 0;
    left.push(...names(target).reverse());
  }
  return { path: joined(way), inode: await tree.lookup(joined(way), { follow: false }) };
}

function names(path: Buffer): string[] {
  return path
    .toString('latin1')
    .split('/')
    .filter((name) => name !== '');
}

function joined(way: readonly string[]): Buffer {
  return Buffer.from(way.join('/'), 'latin1');
}
