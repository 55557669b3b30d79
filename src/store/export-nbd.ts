import { CalveError } from '../errors/index.ts';
import { copyDisk } from '../img/index.ts';
import { openNbd } from '../nbd/index.ts';
import type { StoreContext } from './context.ts';
import { openTarget } from './open-target.ts';
import type { ExportOptions } from './options.ts';
import { verifyChain } from './protection.ts';

/**
 * Writes a disk over what an export of an NBD server holds. What that is larger by stays as it is. Cut off, part of it is
 * written.
 * @throws CalveError `usage` for another format than raw; `out-of-range` when the export is smaller; what `openNbd` throws
 */
export async function exportToNbd(
  context: StoreContext,
  target: string,
  uri: string,
  { format = 'raw', signal, onProgress }: ExportOptions,
): Promise<void> {
  if (format !== 'raw') {
    throw new CalveError(
      'usage',
      `${uri} takes the disk's bytes alone: expected the format raw, got ${format}`,
    );
  }
  const { disk: source, layers } = await openTarget(context, target, { signal, onProgress });
  await using _source = source;
  const cancel = signal === undefined ? {} : { signal };
  await using disk = await openNbd(uri, { readOnly: false, ...cancel });
  if (disk.size < source.size) {
    throw new CalveError('out-of-range', `${uri} holds ${disk.size} bytes, and ${target} has ${source.size}`);
  }
  await copyDisk(source, disk, {
    ...cancel,
    onProgress: (done, total) => onProgress?.({ phase: 'writing', done, total }),
  });
  await disk.close();
  // Whoever writes into a layer while it is read must not have it exported unnoticed.
  await verifyChain(context, layers, { signal, onProgress });
}
