import type { WritableDisk } from '../../../disk/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { type OpenImageOptions, openImage } from '../opening/open-image.ts';
import { writableDisk } from '../opening/writable-disk.ts';
import { findInChain } from './find-in-chain.ts';

/** An image that is open for writing, with one of its chain that is, too. */
export interface CommitImages {
  readonly top: BlockNode;
  readonly base: WritableDisk;
  /** How many images lie above the base. */
  readonly depth: number;
}

/**
 * Opens an image whose contents go into one of its chain.
 * @param baseName of an image of the chain; undefined for the backing file
 * @throws CalveError in qemu-img's words
 */
export async function openForCommit(
  name: string,
  baseName: string | undefined,
  options: OpenImageOptions,
  context: ImgContext,
  onOpen: () => void,
): Promise<CommitImages> {
  const depth = await depthOfBase(name, baseName, options, context, onOpen);
  const quiet = { ...context, complain: () => {} };
  const top = await openImage(name, { ...options, writable: true, writableDepth: depth }, quiet);
  let node: BlockNode | undefined = top;
  for (let above = 0; above < depth; above += 1) node = node?.backing;
  try {
    if (node === undefined) throw imgError('Image does not have a backing file');
    return { top, base: writableDisk(node.disk), depth };
  } catch (error) {
    await top.disk.close();
    throw error;
  }
}

/** The chain is looked at first: what is wrong with it is told of ahead of a base that cannot be written. */
async function depthOfBase(
  name: string,
  baseName: string | undefined,
  options: OpenImageOptions,
  context: ImgContext,
  onOpen: () => void,
): Promise<number> {
  const top = await openImage(name, { ...options, writable: true }, context);
  await using _disk = top.disk;
  onOpen();
  if (baseName === undefined) {
    if (top.backing === undefined) throw imgError('Image does not have a backing file');
    return 1;
  }
  const found = findInChain(top, baseName);
  if (found !== undefined) return found.depth;
  throw imgError(`Did not find '${baseName}' in the backing chain of '${name}'`, { code: 'not-found' });
}
