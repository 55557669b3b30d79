import { checkFormat, creationProtocol } from '../creating/create-image.ts';
import { createOptions } from '../creating/create-option.ts';
import { givenOptions } from '../creating/given-options.ts';
import { makeQcow2 } from '../creating/make-qcow2.ts';
import { makeRaw } from '../creating/make-raw.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError, prefixed } from '../img-error.ts';
import { isForeign, isOurs } from '../opening/foreign-format.ts';
import type { ConvertWords } from './convert-words.ts';

/** A target that is to be made: nothing was done yet. */
export interface PlannedTarget {
  readonly filename: string;
  readonly format: string;
  readonly protocol: 'file' | 'nbd';
  /** Options by name. */
  readonly given: ReadonlyMap<string, string>;
  /** The backing file; undefined where it has none. */
  readonly backingFile: string | undefined;
}

/**
 * Checks what is to be made, in the order in which qemu-img does.
 * @param size bytes
 * @throws CalveError in qemu-img's words; that of `foreignFormat`
 */
export function planTarget(
  filename: string,
  format: string,
  size: number,
  words: ConvertWords,
): PlannedTarget {
  if (format !== 'nbd' && !isOurs(format) && !isForeign(format)) {
    throw imgError(`Unknown file format '${format}'`);
  }
  checkFormat(format);
  const protocol = creationProtocol(filename);
  const known = createOptions(format, protocol);
  const given = givenOptions(words.options, known);
  given.set('size', String(size));
  const has = (name: string) => known.some((option) => option.name === name);
  if (words.backingFile !== undefined) {
    if (!has('backing_file')) throw imgError(`Backing file not supported for file format '${format}'`);
    given.set('backing_file', words.backingFile);
  }
  if (words.backingFormat !== undefined) {
    if (!has('backing_fmt')) {
      throw imgError(`Backing file format not supported for file format '${format}'`);
    }
    given.set('backing_fmt', words.backingFormat);
  }
  const backingFile = given.get('backing_file');
  return { filename, format, protocol, given, backingFile };
}

/** @throws CalveError in qemu-img's words for a target that cannot be compressed */
export function checkCompression(format: string, given: ReadonlyMap<string, string> | undefined): void {
  if (format !== 'qcow2') throw imgError('Compression not supported for this file format');
  if (given?.get('encryption') === 'on' || given?.has('encrypt.format')) {
    throw imgError('Compression and encryption not supported at the same time');
  }
  if ((given?.get('preallocation') ?? 'off') !== 'off') {
    throw imgError('Compression and preallocation not supported at the same time');
  }
}

/**
 * Makes the target. What lies there is lost.
 * @returns whether it reads zeros
 * @throws CalveError in qemu-img's words
 */
export async function makeTarget(
  target: PlannedTarget,
  words: ConvertWords,
  context: ImgContext,
): Promise<boolean> {
  const { filename, format, protocol, given } = target;
  const request = { filename, protocol, given, secrets: words.secrets };
  try {
    const backingFormat = given.get('backing_fmt');
    if (backingFormat !== undefined && !isOurs(backingFormat) && !isForeign(backingFormat)) {
      throw imgError(`Parameter 'backing-fmt' does not accept value '${backingFormat}'`);
    }
    if (format === 'qcow2') await makeQcow2(request, context);
    else await makeRaw(request, context);
  } catch (error) {
    throw prefixed(`${filename}: error while converting ${format}: `, error);
  }
  // What was never written, under a cipher, is not zeros.
  const isEncrypted = given.get('encryption') === 'on' || given.has('encrypt.format');
  const isPreallocated = (given.get('preallocation') ?? 'off') !== 'off';
  return format === 'qcow2' ? !(isEncrypted && isPreallocated) : protocol === 'file';
}
