import { CalveError } from '../../errors/index.ts';
import { lockImage, openFile } from '../../host/index.ts';
import { ImageFile } from '../image-file.ts';
import type { ImageStorage } from '../image-storage.ts';
import type { CheckReport } from './check-report.ts';
import type { InspectOptions } from './inspect-image.ts';

/** How an image is checked. */
export interface CheckOptions extends InspectOptions {
  /** QEMU's image lock for reading (default true). Without it, a writer at work looks like damage. */
  readonly lock?: boolean;
}

/**
 * Checks the bookkeeping of a qcow2 image: that every host cluster is referred to as often as its refcount says, and
 * that everything that leads to a cluster leads into the file. The image alone: a backing or data file is not opened,
 * and guest data is not looked at. Reads, and never writes.
 *
 * Counts as `qemu-img check` counts. What is found is told with its place; what makes no header of an image is thrown.
 *
 * @param image its path; or what it lies in, which is open and locked, and stays so
 * @throws CalveError `not-found`, `denied`, `in-use`, `io`; `invalid` or `unsupported`, naming the header field;
 *   `out-of-range` for a file of more than 2^31 - 1 clusters; `aborted`
 *
 * @example
 * const { corruptions, leaks, findings } = await checkQcow2('disk.qcow2');
 */
export async function checkQcow2(
  image: string | ImageStorage,
  options: CheckOptions = {},
): Promise<CheckReport> {
  if (typeof image !== 'string') return check(image, options);
  await using file = await openFile(image);
  if (options.lock !== false) lockImage(file, 'read');
  return await check(file, options);
}

async function check(file: ImageStorage, options: InspectOptions): Promise<CheckReport> {
  try {
    // Loaded when it is wanted: whoever opens an image as a rule does not.
    const { inspectImage } = await import('./inspect-image.ts');
    return (await inspectImage(new ImageFile(file), options)).report;
  } catch (error) {
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    throw new CalveError('aborted', `checking ${file.path} was aborted`, { cause: error });
  }
}
