import { dirname, isAbsolute } from 'node:path';
import type { Qcow2Header } from '../../../qcow2/index.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from './block-node.ts';
import { protocolOf } from './node-name.ts';

/**
 * The name by which QEMU opens the backing file of an image: what the image says, from the image's folder on where it is
 * relative. Undefined when the image names none.
 * @param file what the image lies in
 */
export function backingName(file: BlockNode, header: Pick<Qcow2Header, 'backingFile'>): string | undefined {
  const { backingFile } = header;
  if (backingFile === undefined || backingFile === '') return undefined;
  return fullBackingName(file.plainName, backingFile, file.filename);
}

/**
 * A backing file's name as seen from here.
 * @param imageName the plain name of the image that names it
 */
export function fullBackingName(imageName: string | undefined, backingFile: string, told: string): string {
  if (protocolOf(backingFile) !== undefined || isAbsolute(backingFile)) return backingFile;
  if (imageName === undefined) {
    throw imgError(`Cannot use relative backing file names for '${told}'`);
  }
  const protocol = /^[^/:]*:/.exec(imageName)?.[0] ?? '';
  const folder = dirname(imageName.slice(protocol.length));
  // As it is written: what lies behind `a/../` is for the kernel to say.
  const prefix = folder === '.' && !/^\.\//.test(imageName) ? '' : `${folder === '/' ? '' : folder}/`;
  return protocol + prefix + backingFile;
}
