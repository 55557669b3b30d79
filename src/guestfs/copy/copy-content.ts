import { isZero } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { HostFile } from '../../host/index.ts';
import type { FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';

/** Bytes that are read at a time. */
export const PIECE: number = 1 << 20;
/** Up to here a write into the page cache is done before the thread pool would have begun it. */
const SMALL = 64 * 1024;

/** A file of a guest that is copied to a fresh file of the host. */
export interface ContentCopy {
  readonly tree: FileTree;
  readonly inode: Inode;
  readonly target: HostFile;
  /** `PIECE` bytes, the copy's own while it runs. */
  readonly buffer: Buffer;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes that each step copied. */
  readonly onStep?: ((bytes: number) => void) | undefined;
}

/** Copies the content of a file; what is a hole in the guest stays one. */
export async function copyContent(copy: ContentCopy): Promise<void> {
  const { tree, inode, target } = copy;
  if (inode.allocated >= inode.size || inode.size === 0) {
    await copyRange(copy, 0, inode.size);
    return;
  }
  if (tree.extents === undefined) {
    await copyRange(copy, 0, inode.size, { leaveZeros: true });
    await target.truncate(inode.size);
    return;
  }
  // Content in the inode itself lies nowhere else: no extents are told of it.
  let hasExtents = false;
  for await (const { offset, length, diskOffset } of tree.extents(inode)) {
    hasExtents = true;
    if (diskOffset !== null) await copyRange(copy, offset, Math.min(offset + length, inode.size));
  }
  if (!hasExtents) await copyRange(copy, 0, inode.size);
  else await target.truncate(inode.size);
}

/** @param options.leaveZeros pieces of zeros stay holes, where nobody can tell which are */
async function copyRange(
  copy: ContentCopy,
  from: number,
  end: number,
  { leaveZeros = false }: { readonly leaveZeros?: boolean } = {},
): Promise<void> {
  const { tree, inode, target, buffer, signal, onStep } = copy;
  for (let at = from; at < end; ) {
    if (signal?.aborted === true) throw new CalveError('aborted', 'the copy was ended');
    const piece = buffer.subarray(0, Math.min(buffer.length, end - at));
    const length = await tree.read(inode, at, piece);
    if (length < piece.length)
      throw new CalveError('corrupt', `inode ${inode.number} ends at byte ${at + length}`);
    if (leaveZeros) await writeAllButZeros(target, piece, at);
    else if (length <= SMALL) target.writeSync(piece, at);
    else await target.write(piece, at);
    onStep?.(length);
    at += length;
  }
}

async function writeAllButZeros(target: HostFile, bytes: Buffer, offset: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    let to = from;
    while (to < bytes.length && !isZero(bytes.subarray(to, to + SMALL))) to += SMALL;
    if (to > from) await target.write(bytes.subarray(from, to), offset + from);
    from = to + SMALL;
  }
}
