import type { CalveError } from '../../errors/index.ts';
import type { InodeType } from '../inode.ts';

/** How a tree is copied. */
export interface CopyOptions {
  /** Aborting it ends the copy with CalveError `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of files that were copied until now. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What a copy did. Of long lists the first are told. */
export interface CopyReport {
  files: number;
  directories: number;
  symlinks: number;
  /** Of the files, holes included. */
  bytes: number;
  /** What is no file to copy: devices and sockets. Paths begin at what was copied. */
  readonly skipped: { readonly path: Buffer; readonly type: InodeType }[];
  skippedCount: number;
  /** What could not be copied, and why; the rest was. */
  readonly failed: { readonly path: Buffer; readonly error: CalveError }[];
  failedCount: number;
  /** Attributes and access control lists that the file system copied to did not take. */
  lostAttributes: number;
}

/** How many of the skipped and of the failed are told. */
const MOST_TOLD = 1000;

export function emptyReport(): CopyReport {
  return {
    ...{ files: 0, directories: 0, symlinks: 0, bytes: 0 },
    ...{ skipped: [], skippedCount: 0, failed: [], failedCount: 0, lostAttributes: 0 },
  };
}

export function noteSkipped(report: CopyReport, path: Buffer, type: InodeType): void {
  report.skippedCount += 1;
  if (report.skipped.length < MOST_TOLD) report.skipped.push({ path, type });
}

export function noteFailed(report: CopyReport, path: Buffer, error: CalveError): void {
  report.failedCount += 1;
  if (report.failed.length < MOST_TOLD) report.failed.push({ path, error });
}
