import type { ImgContext } from '../img-context.ts';
import { imgError, prefixed } from '../img-error.ts';
import { foreignFormat, isForeign } from '../opening/foreign-format.ts';
import { protocolOf } from '../opening/node-name.ts';
import type { Secrets } from '../options/secrets.ts';
import { backingImage } from './backing-image.ts';
import { createOptions } from './create-option.ts';
import { formattingLine, givenOptions } from './given-options.ts';
import { makeQcow2 } from './make-qcow2.ts';
import { makeRaw } from './make-raw.ts';

/** What is to be made, as words. */
export interface CreateImageRequest {
  readonly filename: string;
  /** `-f`, or `-O` of other subcommands. */
  readonly format: string;
  /** `-o`. */
  readonly options?: string | undefined;
  /** Bytes; undefined: what the options or the backing file say. */
  readonly size?: number | bigint | undefined;
  readonly backingFile?: string | undefined;
  readonly backingFormat?: string | undefined;
  /** `-u`: the backing file need not be there. */
  readonly isUnsafe?: boolean;
  /** What is about to be made is not printed. */
  readonly isQuiet: boolean;
  readonly secrets: Secrets;
}

/**
 * Makes an image as `qemu-img create` does. What lies there is lost.
 * @throws CalveError in qemu-img's words, beginning with the name; that of `foreignFormat`
 */
export async function createImage(request: CreateImageRequest, context: ImgContext): Promise<void> {
  try {
    await create(request, context);
  } catch (error) {
    throw prefixed(`${request.filename}: `, error);
  }
}

async function create(request: CreateImageRequest, context: ImgContext): Promise<void> {
  const { filename, format, backingFile, backingFormat } = request;
  checkFormat(format);
  const protocol = creationProtocol(filename);
  const known = createOptions(format, protocol);
  const given = givenOptions(request.options, known);
  if (request.size !== undefined && given.has('size')) {
    throw imgError('The image size must be specified only once');
  }
  if (request.size !== undefined) given.set('size', String(request.size));
  const has = (name: string) => known.some((option) => option.name === name);
  if (backingFile !== undefined) {
    if (!has('backing_file')) throw imgError(`Backing file not supported for file format '${format}'`);
    given.set('backing_file', backingFile);
  }
  if (backingFormat !== undefined) {
    if (!has('backing_fmt')) {
      throw imgError(`Backing file format not supported for file format '${format}'`);
    }
    given.set('backing_fmt', backingFormat);
  }
  await settleSize(given, request, context);
  if (!request.isQuiet) context.print(`${formattingLine(filename, format, given, known)}\n`);
  const target = { filename, protocol, given, secrets: request.secrets };
  if (format === 'qcow2') await makeQcow2(target, context);
  else await makeRaw(target, context);
}

/** The size may be the backing file's, which must be there in any case unless nobody wants to know. */
async function settleSize(
  given: Map<string, string>,
  { filename, isUnsafe = false }: CreateImageRequest,
  context: ImgContext,
): Promise<void> {
  const backingFile = given.get('backing_file');
  if (backingFile === filename) {
    throw imgError('Error: Trying to create an image with the same filename as the backing file');
  }
  if (backingFile === '') throw imgError('Expected backing file name, got empty string');
  const backingFormat = given.get('backing_fmt');
  if (backingFile !== undefined && !isUnsafe) {
    const backing = await backingImage(filename, backingFile, backingFormat, context);
    if (backingFormat === undefined) {
      throw imgError('Backing file specified without backing format', {
        more: `Detected format of ${backing.format}.`,
        hasOpenEnd: true,
      });
    }
    if (!given.has('size')) given.set('size', String(backing.size));
  }
  if (!given.has('size')) throw imgError('Image creation needs a size parameter');
  if (backingFile !== undefined && backingFormat === undefined) {
    throw imgError('Backing file specified without backing format');
  }
}

const CREATABLE: ReadonlySet<string> = new Set(['raw', 'qcow2', 'file']);
/** Formats of QEMU's that nobody can make. */
const READ_ALONE: ReadonlySet<string> = new Set(
  'blkdebug blklogwrites blkverify bochs cloop compress copy-before-write copy-on-read dmg null-aio null-co nvme quorum replication snapshot-access throttle vvfat'.split(
    ' ',
  ),
);

/** @throws CalveError in qemu-img's words; that of `foreignFormat` */
export function checkFormat(format: string): void {
  if (CREATABLE.has(format)) return;
  if (READ_ALONE.has(format)) {
    throw imgError(`Format driver '${format}' does not support image creation`);
  }
  if (isForeign(format) || format === 'nbd') throw foreignFormat(format);
  throw imgError(`Unknown file format '${format}'`);
}

/** What an image of this name is made in. */
export function creationProtocol(filename: string): 'file' | 'nbd' {
  const protocol = protocolOf(filename);
  if (protocol === undefined || protocol === 'file') return 'file';
  if (/^nbds?(\+(unix|tcp))?$/.test(protocol)) return 'nbd';
  if (protocol === 'json' || isForeign(protocol)) throw foreignFormat(protocol);
  throw imgError(`Unknown protocol '${protocol}'`);
}
