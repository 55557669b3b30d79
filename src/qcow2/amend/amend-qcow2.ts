import { CalveError } from '../../errors/index.ts';
import { lockImage, openFile } from '../../host/index.ts';
import { ImageFile } from '../image-file.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { AmendImageOptions } from './amend-options.ts';

/** How an image is amended. */
export interface AmendOptions extends AmendImageOptions {
  /** QEMU's image lock for writing (default true), which nobody else may hold. */
  readonly lock?: boolean;
}

/**
 * Changes what an image is like, and not what a guest or a snapshot reads: the version, the width of refcounts, lazy
 * refcounts, the names of other files. Does what `qemu-img amend -o` and `qemu-img rebase -u` do; see `Amendment`. The
 * image alone: a backing or data file is not opened.
 *
 * Everything that can be refused is refused before anything is changed, but for an image that was not closed, which is
 * repaired first. Several changes at once are made one after the other, in QEMU's order: up to version 3, refcounts,
 * names and flags, down to version 2. Cut off at any moment, it leaves a sound image, with some clusters leaked at
 * worst.
 *
 * @param path the image
 * @returns the header as it is then
 * @throws CalveError `out-of-range` or `usage`, naming the option; `unsupported` for what the image or its version
 *   cannot have, with `data.features`; `not-found`, `denied`, `in-use` (with `data.holders`), `io`, `no-space`;
 *   `invalid`, naming the header field; `corrupt`, with the command that mends it; `aborted`
 *
 * @example
 * await amendQcow2('disk.qcow2', { version: 3, refcountBits: 8 });
 * await amendQcow2('env.qcow2', { backingFile: '../bases/debian.qcow2', backingFormat: 'qcow2' });
 */
export async function amendQcow2(path: string, options: AmendOptions): Promise<Qcow2Header> {
  await using file = await openFile(path, { writable: true });
  if (options.lock !== false) lockImage(file, 'write');
  try {
    // Loaded when it is wanted: whoever opens an image as a rule does not.
    const { amendImage } = await import('./amend-image.ts');
    return await amendImage(new ImageFile(file), options);
  } catch (error) {
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    throw new CalveError('aborted', `amending ${path} was aborted`, { cause: error });
  }
}
