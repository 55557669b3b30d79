import { closeSync, fdatasync, fstatSync, fsync, ftruncate, read, readSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { CalveError, systemError } from '../errors/index.ts';
import { cloneFile } from './clone-file.ts';
import { type CopyOptions, copyRange } from './copy-range.ts';
import { type FileStat, fileStat } from './file-stat.ts';
import { libcIfAny } from './libc.ts';
import {
  allocateRange,
  type FileExtent,
  punchHole,
  reserveRange,
  seekSparse,
  sparseExtents,
} from './sparse.ts';
import { wholeRange, wholeRangeSync } from './whole-range.ts';

/**
 * An open regular file: positioned reads and writes of whole ranges, whatever the kernel does in how many pieces.
 * Offsets and lengths are bytes. Made by `openFile`.
 *
 * Every member throws CalveError: `closed` after `close`, `io` and `no-space` with the operating system's error
 * as `cause`.
 */
export class HostFile implements AsyncDisposable {
  readonly path: string;
  readonly fd: number;
  readonly writable: boolean;
  readonly #durable: boolean;
  #busy = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(path: string, fd: number, writable: boolean, durable = true) {
    this.path = path;
    this.#durable = durable;
    this.fd = fd;
    this.writable = writable;
  }

  /** Whether `close` was called; `fd` may be another file's from then on. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  stat(): FileStat {
    return this.#now('stat', () => fileStat(fstatSync(this.fd, { bigint: true })));
  }

  /** Fills `into` from `offset` and returns the bytes read, which are fewer only at the end of the file. */
  readSync(into: Uint8Array, offset: number): number {
    return this.#now(
      'read',
      () =>
        wholeRangeSync(into.length, (done, length) => readSync(this.fd, into, done, length, offset + done)),
      offset,
    );
  }

  /** As `readSync`, through the thread pool. */
  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#later(
      'read',
      () =>
        wholeRange(into.length, (done, length) => inPool(read, this.fd, into, done, length, offset + done)),
      offset,
    );
  }

  /**
   * As `readSync`, but false and `into` undefined unless the page cache has all of it: where a device would have to be
   * waited for, at the end of the file, and where reading fails. `read` tells which.
   */
  readCached(into: Uint8Array, offset: number): boolean {
    this.#checkOpen('read');
    return libcIfAny()?.readNow(this.fd, into, offset) === into.length;
  }

  /** Writes all of `from` at `offset`, through the thread pool. `from` must stay as it is until then. */
  write(from: Uint8Array, offset: number): Promise<void> {
    const writeAll = async () => {
      const count = await wholeRange(from.length, (done, length) =>
        inPool(write, this.fd, from, done, length, offset + done),
      );
      checkAll(count, from);
    };
    return this.#later('write', writeAll, offset);
  }

  /** As `write`, at once: for small writes into the page cache, where the thread pool costs more than the write. */
  writeSync(from: Uint8Array, offset: number): void {
    const writeAll = () => {
      const count = wholeRangeSync(from.length, (done, length) =>
        writeSync(this.fd, from, done, length, offset + done),
      );
      checkAll(count, from);
    };
    this.#now('write', writeAll, offset);
  }

  /** What was written is durable, with the size and the mapping that reading it takes (fdatasync). */
  datasync(): Promise<void> {
    return this.#later('sync', async () => {
      if (this.#durable) await promisify(fdatasync)(this.fd);
    });
  }

  /** As `datasync`, and times and mode too (fsync). */
  sync(): Promise<void> {
    return this.#later('sync', async () => {
      if (this.#durable) await promisify(fsync)(this.fd);
    });
  }

  /** Sets the size; growth reads zeros and takes no storage. */
  truncate(size: number): Promise<void> {
    return this.#later('truncate', () => promisify(ftruncate)(this.fd, size));
  }

  /**
   * Data and holes of a range in order, without gaps; what lies past the end of the file is a hole. All data
   * where the platform or the file system cannot tell. Looked up as the caller goes along.
   */
  extents(offset: number, length: number): Iterable<FileExtent> {
    this.#checkOpen('look for holes in');
    const seek = (at: number, whence: number) =>
      this.#now('look for holes in', () => seekSparse(this.fd, at, whence), at);
    return sparseExtents(seek, offset, length);
  }

  /** Makes the range a hole, which reads zeros; the size stays. False where that cannot be done. */
  punchHole(offset: number, length: number): boolean {
    return this.#now('punch a hole into', () => punchHole(this.fd, offset, length), offset);
  }

  /** Reserves storage for the range and grows the file to hold it. False where that cannot be done. */
  allocate(offset: number, length: number): boolean {
    return this.#now('allocate', () => allocateRange(this.fd, offset, length), offset);
  }

  /** Reserves storage for a range that is written later; the size stays. False where that cannot be done. */
  reserve(offset: number, length: number): boolean {
    return this.#now('reserve room in', () => reserveRange(this.fd, offset, length), offset);
  }

  /**
   * Copies a range inside the kernel, which shares the blocks where the file system can, or else by reading and
   * writing. Holes of the source may become data. Two ranges of one file must not overlap.
   * @throws CalveError `out-of-range` when the source ends before the range does; `aborted`
   */
  copyTo(
    target: HostFile,
    from: number,
    to: number,
    length: number,
    options: CopyOptions = {},
  ): Promise<void> {
    return this.#later('copy', () =>
      target.#later('write', () => copyRange(this, from, target, to, length, options)),
    );
  }

  /** Makes the whole of `target` a reflink of this file. False where the file system cannot. */
  cloneTo(target: HostFile): boolean {
    target.#checkOpen('clone into');
    return this.#now('clone', () => cloneFile(this.fd, target.fd));
  }

  /** Lets operations under way end, then closes. A second call waits for the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    // The number of a closed descriptor goes to the next file opened: nothing may still be on its way to it.
    if (this.#busy > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      // At once: by now whatever was written is durable or given up, and the call takes a microsecond.
      closeSync(this.fd);
    } catch (error) {
      throw systemError(this.#cannot('close'), error);
    }
  }

  #now<T>(verb: string, action: () => T, offset?: number): T {
    this.#checkOpen(verb);
    try {
      return action();
    } catch (error) {
      throw systemError(this.#cannot(verb, offset), error);
    }
  }

  async #later<T>(verb: string, action: () => Promise<T>, offset?: number): Promise<T> {
    this.#checkOpen(verb);
    this.#busy += 1;
    try {
      return await action();
    } catch (error) {
      throw systemError(this.#cannot(verb, offset), error);
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle?.();
    }
  }

  #checkOpen(verb: string): void {
    if (this.#closing) throw new CalveError('closed', `${this.#cannot(verb)}: it was closed before`);
  }

  #cannot(verb: string, offset?: number): string {
    return `cannot ${verb} ${this.path}${offset === undefined ? '' : ` at ${offset}`}`;
  }
}

function checkAll(count: number, from: Uint8Array): void {
  if (count < from.length) throw new Error(`expected to write ${from.length} bytes, wrote ${count}`);
}

type PositionedCall = (
  fd: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  position: number,
  done: (error: Error | null, count: number) => void,
) => void;

/** One read or write in the thread pool. Callbacks, because `fs/promises` costs twice as much. */
function inPool(
  call: PositionedCall,
  fd: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    call(fd, bytes, start, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}
