import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { openImage } from '../opening/open-image.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import type { ConvertSources } from './convert-sources.ts';
import { checkCompression, makeTarget, planTarget } from './convert-target.ts';
import type { ConvertWords } from './convert-words.ts';

/** Where to it is converted. */
export interface ConvertTarget {
  readonly node: BlockNode;
  /** It reads zeros. */
  readonly isZero: boolean;
  /** What the source has of its backing file, it reads of its own. */
  readonly hasBacking: boolean;
  /** From where on it reads zeros, in spite of its backing file, bytes; undefined: from nowhere on, as far as is known. */
  readonly zeroFrom?: number | undefined;
}

/**
 * Makes the target, unless it is there already, and opens it.
 * @throws CalveError in qemu-img's words; that of `foreignFormat`
 */
export async function openTarget(
  filename: string,
  sources: ConvertSources,
  words: ConvertWords,
  context: ImgContext,
): Promise<ConvertTarget> {
  return words.flags.has('noCreate')
    ? openExisting(filename, sources, words, context)
    : openNew(filename, sources, words, context);
}

async function openNew(
  filename: string,
  { disk, isConcatenated }: ConvertSources,
  words: ConvertWords,
  context: ImgContext,
): Promise<ConvertTarget> {
  const { flags, secrets, cache, outputFormat: format = 'raw' } = words;
  const planned = planTarget(filename, format, disk.size, words);
  const { backingFile, given } = planned;
  checkBacking(backingFile, given.get('backing_fmt'), isConcatenated);
  if (flags.has('compress')) checkCompression(format, given);
  if (flags.has('bitmaps') && (format !== 'qcow2' || /^(0\.10|v2)$/.test(given.get('compat') ?? ''))) {
    throw imgError(`Format driver '${format}' does not support bitmaps`);
  }
  const isUnsafe = isUnsafeCache(cache, 'cache option');
  const isZero = await makeTarget(planned, words, context);
  const keySecret = given.get('encrypt.key-secret');
  const node = await openImage(filename, { format, secrets, keySecret, isUnsafe, writable: true }, context);
  return { node, isZero, hasBacking: backingFile !== undefined, zeroFrom: node.backing?.disk.size };
}

async function openExisting(
  filename: string,
  sources: ConvertSources,
  words: ConvertWords,
  context: ImgContext,
): Promise<ConvertTarget> {
  const { flags, secrets, cache, backingFile, outputFormat } = words;
  checkBacking(backingFile, words.backingFormat, sources.isConcatenated);
  const imageOptions = flags.has('targetImageOptions');
  const format = outputFormat ?? (imageOptions ? undefined : 'raw');
  const isUnsafe = isUnsafeCache(cache, 'cache option');
  const node = await openImage(
    filename,
    { format, imageOptions, secrets, isUnsafe, writable: true },
    context,
  );
  try {
    if (flags.has('compress')) checkCompression(node.driver, undefined);
    if (flags.has('bitmaps') && (node.qcow2?.header.version ?? 0) < 3) {
      throw imgError(`Format driver '${node.driver}' does not support bitmaps`);
    }
    if (node.disk.size < sources.disk.size) throw imgError('output file is smaller than input file');
  } catch (error) {
    await node.disk.close();
    throw error;
  }
  return { node, isZero: flags.has('targetIsZero'), hasBacking: backingFile !== undefined };
}

function checkBacking(
  backingFile: string | undefined,
  backingFormat: string | undefined,
  isConcatenated: boolean,
): void {
  if (backingFile === undefined) return;
  if (isConcatenated) {
    throw imgError(
      'Having a backing file for the target makes no sense when concatenating multiple input images',
    );
  }
  if (backingFormat === undefined) throw imgError('Use of backing file requires explicit backing format');
}
