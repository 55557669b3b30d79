import type { FileSystemKind } from './file-system-kind.ts';
import type { Inode, InodeType } from './inode.ts';

/** A name in a directory. */
export interface DirectoryEntry {
  /** Bytes: without `/` and zero bytes, not empty, otherwise anything. Neither `.` nor `..` is told. */
  readonly name: Buffer;
  readonly inode: number;
  /** As the directory says; `unknown` where it does not, then the inode knows. */
  readonly type: InodeType;
}

/** A run of a file's bytes. */
export interface FileExtent {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes; the last one may pass the end of the file, up to that of its block. */
  readonly length: number;
  /** Where they lie on the whole disk; null: nowhere, they read zeros. */
  readonly diskOffset: number | null;
}

/** A run of bytes of the whole disk. */
export interface DiskRange {
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Whether a range of the whole disk may hold other bytes than it does on the disk that this one is compared with. */
export type MayDiffer = (offset: number, length: number) => boolean;

/** An attribute beside a file's content. */
export interface ExtendedAttribute {
  /** With its prefix: `user.note`, `security.capability`. */
  readonly name: Buffer;
  /** As it is stored. */
  readonly value: Buffer;
}

/**
 * A file system inside a disk, for reading. Every member throws CalveError: `corrupt` for structures that contradict
 * themselves or their checksums, `unsupported` by the name of what is not built, `io`, `closed`.
 */
export interface FileTree extends AsyncDisposable {
  readonly kind: FileSystemKind;
  /**
   * Blocks that a journal put in the place of those on the disk, in memory: the system in the disk was not shut down.
   * While that is not 0, equal bytes on two disks do not mean equal files, but where `replayedRanges` says.
   */
  readonly replayedBlocks: number;
  /**
   * Where the blocks lie that `replayedBlocks` counts. Elsewhere equal bytes on two disks do mean equal files. A tree
   * without this member cannot tell.
   */
  readonly replayedRanges?: Iterable<DiskRange>;
  /** The inode of the directory that everything lies in. */
  root(): Promise<Inode>;
  /**
   * The inode of a path, from the root on, with or without a slash before it. Symlinks are followed, within this file
   * system; `..` of the root is the root.
   * @param options.follow false takes a symlink at the very end as it is (default true)
   * @throws CalveError `not-found`; `invalid` for more than 40 symlinks
   */
  lookup(path: string | Uint8Array, options?: { readonly follow?: boolean }): Promise<Inode>;
  /** @throws CalveError `not-found` when no file has this number */
  stat(number: number): Promise<Inode>;
  /** The names in a directory, in the order in which they lie there. */
  list(directory: Inode): AsyncIterable<DirectoryEntry>;
  /** Fills `into` from `offset` of a file on; resolves to how many bytes there were: fewer only at its end. */
  read(file: Inode, offset: number, into: Uint8Array): Promise<number>;
  /** What a symlink points at. */
  readLink(symlink: Inode): Promise<Buffer>;
  xattrs(inode: Inode): Promise<ExtendedAttribute[]>;
  /**
   * Where the content of a file or directory lies, in order and without gaps up to its end; nothing of what is kept
   * in the inode itself. A tree without this member cannot tell.
   */
  extents?(inode: Inode): AsyncIterable<FileExtent>;
  /**
   * Where an inode lies on the whole disk: nothing about it changes but these bytes, or blocks they lead to. A tree
   * without this member cannot tell.
   */
  inodeRange?(number: number): Promise<DiskRange>;
  /**
   * The inode, if nothing that is told of it may differ: itself, its attributes, its content or names, and what leads
   * to them; else undefined. Another disk with an inode at the same place then has the very same file. A tree without
   * this member is asked for everything.
   * @throws CalveError as `stat`
   */
  statUntouched?(number: number, mayDiffer: MayDiffer): Promise<Inode | undefined>;
  /** Releases memory, and ends what was started for it; the disk stays open. */
  close(): Promise<void>;
}
