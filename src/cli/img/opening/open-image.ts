import type { ImgContext } from '../img-context.ts';
import { imgError, prefixed } from '../img-error.ts';
import { BlockOptions, parseImageOptions } from '../options/block-options.ts';
import { Secrets } from '../options/secrets.ts';
import type { BlockNode } from './block-node.ts';
import { openNode } from './open-node.ts';

/** How a subcommand opens an image that was named on its command line. */
export interface OpenImageOptions {
  /** `-f`; undefined: found out. */
  readonly format?: string | undefined;
  /** `--image-opts`: the name is a list of options. */
  readonly imageOptions?: boolean;
  /** Default false. */
  readonly writable?: boolean;
  /** Of the image below that is opened to be written too: 1 is the backing file. */
  readonly writableDepth?: number | undefined;
  /** `-U`. */
  readonly forceShare?: boolean;
  /** Default true. */
  readonly withBacking?: boolean;
  /** Nothing but what the image says of itself is looked at (default false). */
  readonly withoutData?: boolean;
  /** What is wrong with the image is for the caller to find and to mend (default false). */
  readonly forCheck?: boolean;
  /** Cache mode `unsafe`: what is written is not made durable (default false). */
  readonly isUnsafe?: boolean;
  /** The id of the secret that an encrypted image takes. */
  readonly keySecret?: string | undefined;
  /** Of `--object`. */
  readonly secrets?: Secrets;
}

/**
 * Opens an image as qemu-img does, whatever it is named by: a file, `json:{…}`, an NBD address, options. Its chain is
 * followed, which is for images that are trusted. Whoever opens it closes `disk`.
 * @throws CalveError in qemu-img's words, beginning with `Could not open 'NAME'`; that of `foreignFormat`
 *
 * @example
 * const node = await openImage(name, { format, forceShare, secrets }, context);
 * await using disk = node.disk;
 */
export async function openImage(
  name: string,
  options: OpenImageOptions,
  context: ImgContext,
): Promise<BlockNode> {
  if (options.imageOptions === true && options.format !== undefined) {
    throw imgError('--image-opts and --format are mutually exclusive');
  }
  try {
    return await openUnnamed(name, options, context);
  } catch (error) {
    throw prefixed(`Could not open '${name}': `, error);
  }
}

/** As `openImage`, with errors that do not begin with the name. */
export async function openUnnamed(
  name: string,
  options: OpenImageOptions,
  context: ImgContext,
): Promise<BlockNode> {
  const { format, imageOptions = false, writable = false, forceShare = false } = options;
  const { withBacking = true, withoutData = false, forCheck = false, secrets = new Secrets() } = options;
  const warn = (line: string) => context.complain(`WARNING: ${line}\n`);
  if (forceShare && writable) throw imgError('force-share=on can only be used with read-only images');
  const settings = {
    writable,
    writableDepth: options.writableDepth,
    forceShare,
    isUnsafe: options.isUnsafe === true,
    withBacking,
    withoutData,
    forCheck,
    secrets,
    signal: context.signal,
    warn,
  };
  const request = imageOptions
    ? { filename: undefined, options: parseImageOptions(name), driver: format }
    : { filename: name, options: new BlockOptions(), driver: format };
  if (options.keySecret !== undefined) request.options.set('encrypt.key-secret', options.keySecret);
  return openNode(request, settings);
}
