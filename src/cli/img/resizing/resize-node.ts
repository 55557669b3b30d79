import { CalveError } from '../../../errors/index.ts';
import { type Preallocation, reserveStorage } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { qcow2Words } from '../opening/qcow2-words.ts';
import { writableDisk } from '../opening/writable-disk.ts';

/**
 * Changes the size of an image that is open for writing; what lies past a smaller one is lost.
 * @param size bytes
 * @throws CalveError in qemu-img's words
 */
export async function resizeNode(
  node: BlockNode,
  size: bigint,
  preallocation: Preallocation,
  context: ImgContext,
): Promise<void> {
  if (node.qcow2 === undefined) return resizePlain(node, Number(size), preallocation, context);
  if (size % 512n !== 0n) throw imgError('The new size must be a multiple of 512');
  try {
    await node.qcow2.resize(Number(size), { shrink: true, preallocation, signal: context.signal });
  } catch (error) {
    throw resizeWords(error);
  }
}

async function resizePlain(
  node: BlockNode,
  size: number,
  preallocation: Preallocation,
  { signal }: ImgContext,
): Promise<void> {
  const disk = writableDisk(node.disk);
  const file = node.hostFile;
  if (disk.resize === undefined || file === undefined) {
    throw imgError('Image format driver does not support resize', { code: 'unsupported' });
  }
  if (preallocation === 'metadata') throw imgError('Unsupported preallocation mode: metadata');
  if (!Number.isSafeInteger(size)) throw imgError('Failed to resize file: File too large');
  const before = file.stat().size;
  await disk.resize(size);
  try {
    if (size > before) await reserveStorage(file, before, size - before, preallocation, signal);
  } catch (error) {
    await disk.resize(before);
    throw error;
  }
}

function resizeWords(error: unknown): unknown {
  if (!CalveError.is(error)) return error;
  const { option, feature } = error.data;
  if (error.code === 'out-of-range' && option === 'size') {
    return imgError('Failed to grow the L1 table: File too large', { code: error.code, cause: error });
  }
  if (error.code === 'unsupported' && feature === 'snapshots') {
    return imgError("Can't resize a v2 image which has snapshots", { code: error.code, cause: error });
  }
  return qcow2Words(error);
}
