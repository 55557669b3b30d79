import { type HostFile, lockImage, openFile } from '../host/index.ts';
import { LatencyWatch } from './latency-watch.ts';
import { RawDisk } from './raw-disk.ts';

/** How a raw disk is opened. */
export interface RawDiskOptions {
  /** Reading and writing (default false: reading alone). Of an open file, what it was opened for. */
  readonly writable?: boolean;
  /** QEMU's image lock for the access (default true). */
  readonly lock?: boolean;
}

/**
 * Opens a file of plain bytes as a disk. An open file is the disk's from then on, and is closed with it, or when
 * opening fails.
 * @throws CalveError `not-found`, `denied`, `in-use`, `unsupported`, `io`
 */
export async function openRawDisk(file: string | HostFile, options: RawDiskOptions = {}): Promise<RawDisk> {
  const opened =
    typeof file === 'string' ? await openFile(file, { writable: options.writable === true }) : file;
  try {
    const lock = options.lock === false ? undefined : lockImage(opened, opened.writable ? 'write' : 'read');
    return new RawDisk(opened, new LatencyWatch(), lock);
  } catch (error) {
    await opened.close();
    throw error;
  }
}
