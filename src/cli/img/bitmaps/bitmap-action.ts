import type { NewBitmap, Qcow2Disk } from '../../../qcow2/index.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { bitmapWords } from './bitmap-words.ts';

/** What is done to a bitmap. */
export type BitmapAction =
  | { readonly does: 'add' | 'remove' | 'clear' | 'enable' | 'disable' }
  | { readonly does: 'merge'; readonly source: string };

/** What it is done with. */
export interface BitmapRequest {
  readonly node: BlockNode;
  readonly bitmap: string;
  /** Of `add`: bytes; undefined: what goes without saying. */
  readonly granularity: number | undefined;
  /** Where the sources of `merge` are, when it is another image. */
  readonly source: BlockNode | undefined;
}

/**
 * Does one thing to a bitmap.
 * @throws CalveError in qemu-img's words
 */
export async function doToBitmap(action: BitmapAction, request: BitmapRequest): Promise<void> {
  const { node, bitmap } = request;
  try {
    await change(action, request);
  } catch (error) {
    const why = bitmapWords(error, { does: action.does, node, bitmap });
    const failed = `Operation ${action.does} on bitmap ${bitmap} failed: `;
    throw imgError(failed + why.message, { ...(why.more !== undefined && { more: why.more }), cause: error });
  }
}

async function change(action: BitmapAction, request: BitmapRequest): Promise<void> {
  const { node, bitmap, granularity } = request;
  const { qcow2 } = node;
  if (qcow2 === undefined) {
    if (action.does !== 'add') throw notFound(bitmap);
    throw imgError(`Can't store persistent bitmaps to ${node.filename}: Operation not supported`);
  }
  if (action.does === 'add') {
    const wanted: NewBitmap = { name: bitmap, ...(granularity !== undefined && { granularity }) };
    return qcow2.addBitmap(wanted);
  }
  if (action.does === 'remove') return qcow2.removeBitmap(bitmap);
  if (action.does === 'clear') return qcow2.clearBitmap(bitmap);
  if (action.does === 'enable') return qcow2.enableBitmap(bitmap);
  if (action.does === 'disable') return qcow2.disableBitmap(bitmap);
  if (action.does === 'merge') return merge(qcow2, action.source, request);
}

async function merge(target: Qcow2Disk, from: string, request: BitmapRequest): Promise<void> {
  const { node, bitmap, source = node } = request;
  // The target is looked for first.
  if (!target.bitmaps().some(({ name }) => name === bitmap)) throw notFound(bitmap);
  if (source.qcow2 === undefined) throw notFound(from);
  const { size } = source.disk;
  if (size !== node.disk.size && source.qcow2.bitmaps().some(({ name }) => name === from)) {
    throw imgError(
      `Bitmaps are of different sizes (destination size is ${node.disk.size}, source size is ${size}) and can't be merged`,
    );
  }
  return target.mergeBitmap(bitmap, { disk: source.qcow2, bitmap: from });
}

function notFound(bitmap: string): Error {
  return imgError(`Dirty bitmap '${bitmap}' not found`, { code: 'not-found' });
}
