import { CalveError } from '../../../errors/index.ts';
import { messageOf } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { qcow2Words } from '../opening/qcow2-words.ts';

/** What was tried. */
interface Tried {
  /** What was done. */
  readonly does: string;
  readonly node: BlockNode;
  readonly bitmap: string;
}

const MOST_NAME_BYTES = 1023;

/** What went wrong with a bitmap, in the words of QEMU. */
export function bitmapWords(error: unknown, tried: Tried): { message: string; more?: string } {
  if (!CalveError.is(error) || error.data['img'] === true) return { message: messageOf(error) };
  const { does, bitmap } = tried;
  const named = typeof error.data['bitmap'] === 'string' ? error.data['bitmap'] : bitmap;
  if (error.code === 'not-found') return { message: `Dirty bitmap '${named}' not found` };
  if (error.code === 'corrupt') {
    return {
      message: `Bitmap '${named}' is inconsistent and cannot be used`,
      more: 'Try block-dirty-bitmap-remove to delete this bitmap from disk',
    };
  }
  const message = does === 'add' ? addWords(error, tried) : undefined;
  return { message: message ?? messageOf(qcow2Words(error)) };
}

function addWords(error: CalveError, { bitmap, node }: Tried): string | undefined {
  const notKept = (why: string) => `Can't make bitmap '${bitmap}' persistent in '${node.filename}': ${why}`;
  if (error.code === 'exists') return `Bitmap already exists: ${bitmap}`;
  if (error.code === 'unsupported') return notKept('Cannot store dirty bitmaps in qcow2 v2 files');
  if (bitmap === '') return 'Bitmap name cannot be empty';
  if (Buffer.byteLength(bitmap) > MOST_NAME_BYTES) {
    return notKept(`Name length exceeds maximum (${MOST_NAME_BYTES} characters)`);
  }
  if (error.code === 'usage') return 'Granularity must be power of 2 and at least 512';
  return notKept(messageOf(error));
}
