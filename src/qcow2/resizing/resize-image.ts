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
  const { bitmaps } = writer;
  checkResize({ path: file.path, header: writer.metadata.header.current, geometry }, size, options);
  bitmaps.checkResize(size);
  if (size === geometry.size) return;
  if (size < geometry.size) {
    await shrinkImage(writer, size);
    return bitmaps.resize(size);
  }
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
  const before = geometry.size;
  try {
    // Ahead of the disk, so that there are bits for what is written past its end.
    await bitmaps.resize(size);
    await growImage(writer, backing, size, options);
  } catch (error) {
    await bitmaps.resize(before);
    if (!options.signal?.aborted || error !== options.signal.reason) throw error;
    throw new CalveError('aborted', `resizing ${file.path} was aborted`, { cause: error });
  }
}
