import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { CalveError, systemError } from '../errors/index.ts';
import { HostFile } from './host-file.ts';

/** How a file is opened. */
export interface OpenOptions {
  /** Reading and writing (default false: reading alone). */
  readonly writable?: boolean;
  /** Make the file, which must not be there yet (O_CREAT and O_EXCL); implies `writable`. */
  readonly create?: boolean;
  /** Permission bits of a file that is made, less the umask (default 0o666). */
  readonly mode?: number;
  /** Default true; false: `sync` and `datasync` do nothing, so that a loss of power may lose all that was written. */
  readonly durable?: boolean;
}

/**
 * Opens a regular file.
 * @throws CalveError `not-found`, `exists`, `denied`, `io`; `unsupported` for a folder, a device, a pipe
 */
export async function openFile(path: string, options: OpenOptions = {}): Promise<HostFile> {
  const writable = options.writable === true || options.create === true;
  // O_NONBLOCK: opening a pipe must not wait for its other end. Regular files take no notice of it.
  const flags =
    (writable ? constants.O_RDWR : constants.O_RDONLY) |
    (options.create ? constants.O_CREAT | constants.O_EXCL : 0) |
    (constants.O_NONBLOCK ?? 0);
  try {
    // At once: each of the three takes some microseconds, and a trip through the thread pool ten times that.
    const fd = openSync(path, flags, options.mode ?? 0o666);
    try {
      if (fstatSync(fd).isFile()) return new HostFile(path, fd, writable, options.durable);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  } catch (error) {
    throw systemError(`cannot ${options.create ? 'create' : 'open'} ${path}`, error);
  }
  throw new CalveError('unsupported', `cannot open ${path}: expected a regular file`);
}
