import { sliceDisk } from '../../../disk/index.ts';
import { imgError } from '../img-error.ts';
import type { BlockOptions } from '../options/block-options.ts';
import { parseSize } from '../options/parse-size.ts';
import { type BlockNode, blockNode } from './block-node.ts';
import { jsonName } from './node-name.ts';
import type { OpenSettings } from './open-request.ts';
import { refuseUnknownOptions } from './refuse-unknown-options.ts';
import { takeCommonOptions } from './take-common-options.ts';

const SECTOR = 512;

/** Plain bytes, QEMU's driver `raw`: all of what they lie in, or a window on it. */
export function openRawNode(
  file: BlockNode,
  wasProbed: boolean,
  options: BlockOptions,
  settings: OpenSettings,
): BlockNode {
  takeCommonOptions(options);
  const offset = takeSize(options, 'offset');
  const size = takeSize(options, 'size');
  refuseUnknownOptions(options, 'format', 'raw');
  if (wasProbed && settings.writable && offset === undefined && size === undefined) {
    settings.warn(
      `Image format was not specified for '${file.filename}' and probing guessed raw.\n` +
        '         Automatically detecting the format is dangerous for raw images, write operations on block 0 will be restricted.\n' +
        "         Specify the 'raw' format explicitly to remove the restrictions.",
    );
  }
  const isWhole = offset === undefined && size === undefined;
  const described = {
    ...(offset !== undefined && { offset }),
    ...(size !== undefined && { size }),
    driver: 'raw',
    file: file.options,
  };
  const window = isWhole ? file.disk : windowOn(file, offset ?? 0, size);
  return blockNode(
    {
      driver: 'raw',
      disk: window,
      plainName: isWhole ? file.plainName : undefined,
      options: described,
      file,
      hostFile: isWhole ? file.hostFile : undefined,
      wasProbed,
    },
    jsonName,
  );
}

function windowOn(file: BlockNode, offset: number, size: number | undefined): BlockNode['disk'] {
  if (offset > file.disk.size) {
    throw imgError(
      `Offset (${offset}) cannot be greater than size of the containing file (${file.disk.size})`,
    );
  }
  if (size !== undefined && size > file.disk.size - offset) {
    throw imgError(
      `The sum of offset (${offset}) and size (${size}) has to be smaller or equal to the actual size of the containing file (${file.disk.size})`,
    );
  }
  if (size !== undefined && size % SECTOR !== 0) {
    throw imgError(`Specified size is not multiple of ${SECTOR}`);
  }
  return sliceDisk(file.disk, offset, size ?? file.disk.size - offset);
}

function takeSize(options: BlockOptions, key: string): number | undefined {
  const text = options.take(key);
  if (text === undefined) return undefined;
  const size = parseSize(text);
  if (typeof size === 'bigint') return Number(size);
  throw imgError(`Parameter '${key}' expects a non-negative number below 2^64`, {
    more: 'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.',
  });
}
