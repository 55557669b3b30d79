import type { FileTree, WalkedFile } from '../guestfs/index.ts';

/** A file of a guest that is to be printed; what takes reading is read when it is asked for. */
export interface ListedFile extends WalkedFile {
  /** Where a symlink points; null for anything else. */
  target(): Promise<Buffer | null>;
  attributes(): ReturnType<FileTree['xattrs']>;
}

/** A file that was come upon, with what else can be told of it. */
export function listedFile(tree: FileTree, { path, inode }: WalkedFile): ListedFile {
  return {
    path,
    inode,
    target: async () => (inode.type === 'symlink' ? tree.readLink(inode) : null),
    attributes: () => tree.xattrs(inode),
  };
}
