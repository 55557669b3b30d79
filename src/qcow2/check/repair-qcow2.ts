import { CalveError } from '../../errors/index.ts';
import { lockImage, openFile } from '../../host/index.ts';
import { ImageFile } from '../image-file.ts';
import type { ImageStorage } from '../image-storage.ts';
import type { RepairReport } from './check-report.ts';
import type { RepairImageOptions } from './repair-image.ts';

/** How an image is repaired. */
export interface RepairOptions extends RepairImageOptions {
  /** QEMU's image lock for writing (default true), which nobody else may hold. */
  readonly lock?: boolean;
}

/**
 * Repairs the bookkeeping of a qcow2 image, as `qemu-img check -r` does. The image alone: a backing or data file is not
 * opened. Cut off at any moment, it leaves an image no worse than it was, which a second repair finishes.
 *
 * Where it differs from QEMU: entries that cannot be right are mended with `all`, too, and listed in `before`, with the
 * part of the disk that reads zeros from then on; and clusters that seem to be leaked are given back only when nothing
 * in the image leads astray, because they may be what was lost. What cannot be mended is counted in the report.
 *
 * @param image its path; or what it lies in, which is open for writing and locked, and stays so
 * @throws CalveError `not-found`, `denied`, `in-use` (with `data.holders`), `io`, `no-space`; `invalid` or
 *   `unsupported`, naming the header field; `out-of-range` for a file of more than 2^31 - 1 clusters, or refcounts that
 *   cannot be rebuilt within `refcountMemory`; `corrupt`; `aborted`
 *
 * @example
 * const { corruptions, leaksFixed } = await repairQcow2('disk.qcow2', { repair: 'leaks' });
 */
export async function repairQcow2(
  image: string | ImageStorage,
  options: RepairOptions,
): Promise<RepairReport> {
  if (typeof image !== 'string') return repair(image, options);
  await using file = await openFile(image, { writable: true });
  if (options.lock !== false) lockImage(file, 'write');
  return await repair(file, options);
}

async function repair(file: ImageStorage, options: RepairImageOptions): Promise<RepairReport> {
  try {
    // Loaded when it is wanted: whoever opens an image as a rule does not.
    const { repairImage } = await import('./repair-image.ts');
    return await repairImage(new ImageFile(file), options);
  } catch (error) {
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    throw new CalveError('aborted', `repairing ${file.path} was aborted`, { cause: error });
  }
}
