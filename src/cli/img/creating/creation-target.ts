import { CalveError, errnoOf } from '../../../errors/index.ts';
import type { NewImageFile } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError, messageOf } from '../img-error.ts';
import { openUnnamed } from '../opening/open-image.ts';
import { writableDisk } from '../opening/writable-disk.ts';
import type { Secrets } from '../options/secrets.ts';
import { errnoText } from '../printing/errno-text.ts';

/** Where and of what an image is made. */
export interface CreationTarget {
  readonly filename: string;
  readonly protocol: 'file' | 'nbd';
  /** Options by name. */
  readonly given: ReadonlyMap<string, string>;
  readonly secrets: Secrets;
}

/** The path that a name of a file means. */
export function pathOf(filename: string): string {
  return filename.startsWith('file:') ? filename.slice('file:'.length) : filename;
}

/** What an error of making a file is in qemu-img's words. */
export function notCreated(path: string, error: unknown): CalveError {
  if (CalveError.is(error, 'in-use')) {
    return imgError('Failed to get "write" lock', {
      code: 'in-use',
      more: `Is another process using the image [${path}]?`,
      cause: error,
    });
  }
  const code = CalveError.is(error) ? error.code : 'io';
  const why = errnoText(errnoOf(error));
  if (why !== undefined) return imgError(`Could not create '${path}': ${why}`, { code, cause: error });
  return imgError(messageOf(error), { code, cause: error });
}

/**
 * An export, which cannot be made and is there already, as what an image is made in. Its size stays.
 * @throws CalveError in qemu-img's words
 */
export async function openExport(
  filename: string,
  context: ImgContext,
): Promise<NewImageFile & AsyncDisposable & { readonly size: number }> {
  try {
    const node = await openUnnamed(filename, { format: 'raw', writable: true }, context);
    const disk = writableDisk(node.disk);
    return {
      path: filename,
      size: disk.size,
      async truncate(size) {
        if (size > disk.size) throw imgError('Could not resize image: Operation not supported');
        await disk.writeZeroes?.(0, Math.ceil(size / 512) * 512);
      },
      write: (from, offset) => disk.write(from, offset),
      allocate: () => false,
      sync: () => disk.flush(),
      [Symbol.asyncDispose]: () => disk.close(),
    };
  } catch (error) {
    throw imgError(
      `Protocol driver 'nbd' does not support image creation, and opening the image failed: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
