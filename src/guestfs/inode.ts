/** What an inode is. */
export type InodeType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'fifo'
  | 'socket'
  | 'unknown';

/** A file of any type, as its file system describes it. Times are nanoseconds since 1970 (UTC). */
export interface Inode {
  /** Unique in its file system. */
  readonly number: number;
  readonly type: InodeType;
  /** Permissions, with setuid, setgid and the sticky bit: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** How many names it has. */
  readonly links: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
  /** When it was made; null where the file system does not keep that. */
  readonly crtime: bigint | null;
  /** The file system's own flags of it (ext: as `lsattr` knows them). */
  readonly flags: number;
  /** Counts how often the number was given out, where the file system does. */
  readonly generation: number;
  /** Bytes of storage that it takes. */
  readonly allocated: number;
  /** Of a device, else null. */
  readonly device: { readonly major: number; readonly minor: number } | null;
}
