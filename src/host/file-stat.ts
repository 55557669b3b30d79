import { type BigIntStats, statSync } from 'node:fs';
import { systemError } from '../errors/index.ts';

/** What the operating system knows of a file. */
export interface FileStat {
  /** Bytes, holes included. */
  readonly size: number;
  /** Bytes of storage that the file takes: st_blocks times 512. */
  readonly allocated: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly inode: bigint;
  readonly device: bigint;
  /** Permission bits, 0o7777. */
  readonly mode: number;
  readonly kind: 'file' | 'folder' | 'other';
}

/**
 * A path's status, through symbolic links; undefined when there is nothing there.
 * @throws CalveError `denied`, `io`
 */
export function statFile(path: string): FileStat | undefined {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats && fileStat(stats);
  } catch (error) {
    throw systemError(`cannot stat ${path}`, error);
  }
}

/** Node's status as ours. */
export function fileStat(stats: BigIntStats): FileStat {
  return {
    size: Number(stats.size),
    allocated: Number(stats.blocks) * 512,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    inode: stats.ino,
    device: stats.dev,
    mode: Number(stats.mode) & 0o7777,
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'folder' : 'other',
  };
}
