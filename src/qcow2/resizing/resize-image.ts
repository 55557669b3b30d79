import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { growImage } from './grow-image.ts';
import { checkResize, type ResizeOptions } from './resize-options.ts';
import { shrinkImage } from './shrink-image.ts';

/**
 * Changes the size of an image's disk, to bytes. The caller holds the writer's gate alone; reads may be under way.
 * Internal snapshots keep their size.
 * @param backing the open backing disk
 * @throws CalveError `aborted`; what `checkResize`, `growImage` and `shrinkImage` throw
 */
export async function resizeImage(
  writer: ImageWriter,
  backing: Disk | null,
  size: number,
  options: ResizeOptions,
): Promise<void> {
  const { file, geometry, namesBacking } = writer.parts;
  checkResize({ path: file.path, header: writer.metadata.header.current, geometry }, size, options);
  if (size < geometry.size) return shrinkImage(writer, size);
  if (size === geometry.size) return;
  if (namesBacking && !backing) {
    throw new CalveError(
      'denied',
      `${file.path}: cannot grow without its backing file, which may be longer`,
      {
        hint: 'open the image with a policy that opens its backing file',
        data: { path: file.path },
      },
    );
  }
  try {
    await growImage(writer, backing, size, options);
  } catch (error) {
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    throw new CalveError('aborted', `resizing ${file.path} was aborted`, { cause: error });
  }
}
