import { type BigIntStats, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { CalveError, systemError } from '../../errors/index.ts';
import { HostFile } from '../../host/index.ts';
import { printablePath } from '../printable-path.ts';
import type { FileSource } from '../tree-change.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** A regular file of the host as the source of a guest's; it must stay what it was when it was found. */
export class HostSource implements FileSource {
  readonly size: number;
  readonly #path: Buffer;
  // Not all of the status: thousands of sources are kept at a time.
  readonly #device: bigint;
  readonly #inode: bigint;

  /** @param found its status, as it was come upon */
  constructor(path: Buffer, found: BigIntStats) {
    this.#path = path;
    this.#device = found.dev;
    this.#inode = found.ino;
    this.size = Number(found.size);
  }

  /** @throws CalveError `invalid` when it is not the file that was found, or changed since */
  openFile(): HostFile {
    const shown = printablePath(this.#path);
    let fd: number;
    try {
      fd = openSync(this.#path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch (error) {
      throw systemError(`cannot open ${shown}`, error);
    }
    const { dev, ino, size } = fstatSync(fd, { bigint: true });
    if (dev === this.#device && ino === this.#inode && Number(size) === this.size) {
      return new HostFile(shown, fd, false);
    }
    closeSync(fd);
    throw new CalveError('invalid', `${shown} changed while it was copied`, {
      hint: 'copy it when nobody writes to it',
    });
  }

  async *dataRuns(): AsyncGenerator<{ readonly offset: number; readonly length: number }> {
    await using file = this.openFile();
    for (const { offset, length, kind } of file.extents(0, this.size)) {
      if (kind === 'data') yield { offset, length };
    }
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await using file = this.openFile();
    const length = await file.read(into, offset);
    if (length < into.length) {
      throw new CalveError('invalid', `${file.path} became shorter while it was copied`);
    }
  }
}
