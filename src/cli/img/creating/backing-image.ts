import type { ImgContext } from '../img-context.ts';
import { imgError, messageOf } from '../img-error.ts';
import { fullBackingName } from '../opening/backing-name.ts';
import { openUnnamed } from '../opening/open-image.ts';

/**
 * Opens what an image is to be based on, to see that it can be, and closes it again.
 * @param imageName of the image that is to be made, from whose folder a relative name starts
 * @returns its bytes, and its format
 * @throws CalveError in qemu-img's words
 */
export async function backingImage(
  imageName: string,
  backingFile: string,
  backingFormat: string | undefined,
  context: ImgContext,
): Promise<{ readonly size: number; readonly format: string }> {
  const name = fullBackingName(imageName, backingFile, imageName);
  try {
    const node = await openUnnamed(
      name,
      { format: backingFormat, withBacking: false, withoutData: true },
      context,
    );
    await using disk = node.disk;
    return { size: disk.size, format: node.driver };
  } catch (error) {
    throw imgError(messageOf(error), { more: 'Could not open backing image.', cause: error });
  }
}
