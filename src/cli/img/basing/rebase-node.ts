import type { Disk } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';
import { rebaseDisk } from '../../../img/index.ts';
import type { NewBacking, Qcow2Disk } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError, prefixed } from '../img-error.ts';
import { fullBackingName } from '../opening/backing-name.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { openUnnamed } from '../opening/open-image.ts';
import { qcow2Words } from '../opening/qcow2-words.ts';
import type { Secrets } from '../options/secrets.ts';
import { findInChain } from './find-in-chain.ts';

/** What an image is rebased on, as typed. */
export interface TypedBacking {
  /** '' or undefined for none. */
  readonly name: string | undefined;
  readonly format: string | undefined;
  readonly isUnsafe: boolean;
  readonly forceShare: boolean;
  readonly secrets: Secrets;
}

/**
 * Bases an image that is open for writing on another backing file.
 * @throws CalveError in qemu-img's words
 */
export async function rebaseNode(
  node: BlockNode,
  typed: TypedBacking,
  onProgress: (done: number, total: number) => void,
  context: ImgContext,
): Promise<void> {
  // Nothing comes of an image that is not qcow2: that is told once it is seen that all can be opened, locked by us or not.
  const readable = node.qcow2 === undefined ? { ...typed, forceShare: true } : typed;
  const found = typed.isUnsafe ? undefined : await newBacking(node, readable, context);
  try {
    const { qcow2 } = node;
    const backing = namedBacking(typed, qcow2);
    if (qcow2 === undefined) throw notChanged(typed, 'Operation not supported');
    await change(qcow2, backing, typed, found, onProgress, context);
  } finally {
    if (found?.isOpened) await found.disk.close();
  }
}

async function change(
  qcow2: Qcow2Disk,
  backing: NewBacking | null,
  typed: TypedBacking,
  found: FoundBacking | undefined,
  onProgress: (done: number, total: number) => void,
  { signal }: ImgContext,
): Promise<void> {
  try {
    if (typed.isUnsafe) return await qcow2.changeBacking(backing);
    const [disk, depth] = [found?.disk ?? null, found?.depth];
    await rebaseDisk(qcow2, { backing, disk, depth, signal, onProgress });
  } catch (error) {
    if (CalveError.is(error, 'out-of-range')) {
      const isTooLong = error.data['option'] !== undefined;
      throw notChanged(typed, isTooLong ? 'Invalid argument' : 'No space left in the file header', error);
    }
    if (CalveError.is(error, 'unsupported')) throw notChanged(typed, 'Invalid argument', error);
    if (CalveError.is(error, 'no-space')) {
      throw prefixed('Error while writing to COW image: ', qcow2Words(error));
    }
    throw qcow2Words(error);
  }
}

function namedBacking({ name, format }: TypedBacking, qcow2: Qcow2Disk | undefined): NewBacking | null {
  if (name === undefined || name === '') return null;
  if (format === undefined) {
    throw imgError(
      `Could not change the backing file to '${name}': backing format must be specified`,
      qcow2 === undefined ? {} : { code: 'usage' },
    );
  }
  return { file: name, format };
}

function notChanged({ name }: TypedBacking, why: string, cause?: unknown): CalveError {
  return imgError(`Could not change the backing file to '${name ?? '(null)'}': ${why}`, {
    code: 'unsupported',
    cause,
  });
}

interface FoundBacking {
  readonly disk: Disk;
  readonly isOpened: boolean;
  readonly depth?: number;
}

/** The new backing file: one of the image's chain as it is open there, another one opened. */
async function newBacking(
  node: BlockNode,
  { name, format, forceShare, secrets }: TypedBacking,
  context: ImgContext,
): Promise<FoundBacking | undefined> {
  if (name === undefined || name === '') return undefined;
  let path: string;
  try {
    path = fullBackingName(node.plainName, name, node.filename);
  } catch (error) {
    throw prefixed('Could not resolve backing filename: ', error);
  }
  const below = findInChain(node, path);
  if (below !== undefined) return { disk: below.node.disk, isOpened: false, depth: below.depth };
  try {
    const opened = await openUnnamed(path, { format, forceShare, secrets }, context);
    return { disk: opened.disk, isOpened: true };
  } catch (error) {
    throw prefixed(`Could not open new backing file '${name}': `, error);
  }
}
