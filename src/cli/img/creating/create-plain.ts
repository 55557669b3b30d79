import type { ImgContext } from '../img-context.ts';
import { imgError, prefixed } from '../img-error.ts';
import { isForeign, isOurs } from '../opening/foreign-format.ts';
import type { Secrets } from '../options/secrets.ts';
import { checkFormat, creationProtocol } from './create-image.ts';
import { createOptions } from './create-option.ts';
import { givenOptions } from './given-options.ts';
import { makeQcow2 } from './make-qcow2.ts';
import { makeRaw } from './make-raw.ts';

/** An image of no options. */
export interface PlainImageRequest {
  readonly filename: string;
  readonly format: string;
  /** Bytes. */
  readonly size: number;
  readonly secrets: Secrets;
}

/**
 * Makes the output image of `dd`. What lies there is lost.
 * @returns whether it reads zeros, as all that is new does
 * @throws CalveError in qemu-img's words; that of `foreignFormat`
 */
export async function createPlain(request: PlainImageRequest, context: ImgContext): Promise<boolean> {
  const { filename, format, size, secrets } = request;
  if (!isOurs(format) && !isForeign(format)) throw imgError('Unknown file format');
  checkFormat(format);
  const protocol = creationProtocol(filename);
  const given = givenOptions(undefined, createOptions(format, protocol));
  given.set('size', String(size));
  const target = { filename, protocol, given, secrets };
  try {
    if (format === 'qcow2') await makeQcow2(target, context);
    else await makeRaw(target, context);
  } catch (error) {
    throw prefixed(`${filename}: error while creating output image: `, error);
  }
  return format === 'qcow2' || protocol === 'file';
}
