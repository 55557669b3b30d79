import type { HostFile } from '../host/index.ts';
import type { ExtendedAttribute } from './file-tree.ts';

/** What a file is given beside its content; what a file system has no place for is left out. */
export interface FileAttributes {
  /** Permissions, with setuid, setgid and the sticky bit: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970 (UTC). */
  readonly atime: bigint;
  readonly mtime: bigint;
}

/** Where a file's new content comes from. */
export interface FileSource {
  /** Bytes. */
  readonly size: number;
  /** The runs that hold data, in order and apart; everything between them is zeros. */
  dataRuns(): AsyncIterable<{ readonly offset: number; readonly length: number }>;
  /** Fills all of `into` from `offset` on. @throws CalveError `io`; `invalid` when the file became shorter meanwhile */
  read(offset: number, into: Uint8Array): Promise<void>;
  /** Of a source that is a file of the host: opens it, for a writer that has a program read it. The caller closes it. */
  openFile?(): HostFile;
}

/**
 * One step that changes the files of a file system. A path goes from its root on, without a slash before it; what it
 * lies in is there already, or made by a step before. Nothing on the way to it is a symlink.
 */
export type TreeChange =
  /** A new directory; one that is there keeps what is in it and gets the attributes. */
  | {
      readonly kind: 'directory';
      readonly path: Buffer;
      readonly attributes: FileAttributes;
      /** Of a new one, as ext stores them. */
      readonly xattrs?: readonly ExtendedAttribute[];
    }
  /** A regular file, new or in the place of one. */
  | {
      readonly kind: 'file';
      readonly path: Buffer;
      readonly attributes: FileAttributes;
      readonly source: FileSource;
      /** All that it is to have, as ext stores them. */
      readonly xattrs?: readonly ExtendedAttribute[];
      /** Further names of it may follow, under this number. */
      readonly id?: number;
    }
  /** A further name of a file that a step before made. */
  | { readonly kind: 'link'; readonly path: Buffer; readonly id: number }
  | {
      readonly kind: 'symlink';
      readonly path: Buffer;
      readonly attributes: FileAttributes;
      readonly target: Buffer;
    }
  /** Takes the name of anything but a directory away. */
  | { readonly kind: 'remove'; readonly path: Buffer };
