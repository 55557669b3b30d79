import { concatenatedDisk, type Disk } from '../../../disk/index.ts';
import type { BitmapInfo } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { openImage } from '../opening/open-image.ts';
import { openSnapshot } from '../opening/open-snapshot.ts';
import type { ConvertWords } from './convert-words.ts';
import { bitmapsToCopy } from './copy-bitmaps.ts';

/** What is converted. */
export interface ConvertSources {
  readonly first: BlockNode;
  /** All of them, one behind the other; or a snapshot of the only one. */
  readonly disk: Disk;
  /** There are several. */
  readonly isConcatenated: boolean;
  /** Those that are copied. */
  readonly bitmaps: readonly BitmapInfo[];
}

/**
 * Opens the sources.
 * @param opened closes them
 * @throws CalveError in qemu-img's words; that of `foreignFormat`
 */
export async function openSources(
  names: readonly string[],
  words: ConvertWords,
  opened: AsyncDisposableStack,
  context: ImgContext,
): Promise<ConvertSources> {
  const { flags, format, secrets, snapshot } = words;
  const [imageOptions, forceShare] = [flags.has('imageOptions'), flags.has('forceShare')];
  const nodes: BlockNode[] = [];
  for (const name of names) {
    const node = await openImage(name, { format, imageOptions, forceShare, secrets }, context);
    opened.use(node.disk);
    nodes.push(node);
  }
  const [first, ...others] = nodes;
  if (first === undefined) throw imgError('Must specify image file name');
  if (flags.has('bitmaps') && others.length > 0) {
    throw imgError('Copying bitmaps only possible with single source');
  }
  const bitmaps = flags.has('bitmaps') ? bitmapsToCopy(first, flags.has('skipBrokenBitmaps')) : [];
  if (snapshot === undefined) {
    const disk = others.length === 0 ? first.disk : concatenatedDisk(nodes.map((node) => node.disk));
    return { first, disk, isConcatenated: others.length > 0, bitmaps };
  }
  if (others.length > 0) throw imgError('No support for concatenating multiple snapshot');
  return { first, disk: await openSnapshot(first, snapshot), isConcatenated: false, bitmaps };
}
