import { CalveError } from '../errors/index.ts';
import { openPathPair, type PathSide } from '../guestfs/index.ts';
import { openCompared } from './compared-disks.ts';
import type { StoreContext } from './context.ts';
import type { FileContentsOptions } from './options.ts';
import type { FileContent, FileContents } from './types.ts';

/** Reads a file of two versions or envs whole, where it is not too large, and tells whether it differs. */
export async function fileContents(
  context: StoreContext,
  a: string,
  b: string | undefined,
  path: string,
  options: FileContentsOptions,
): Promise<FileContents> {
  await using stack = new AsyncDisposableStack();
  const { before, after, within, verify } = await openCompared(context, stack, a, b, options);
  const { partition, signal, most } = options;
  const pair = await openPathPair(stack, before, after, path, {
    within,
    partition,
    follow: true,
    signal,
  });
  if (pair.before === undefined && pair.after === undefined) {
    throw new CalveError('not-found', `${path}: no such file on either side`, {
      hint: 'calve files lists what is there',
    });
  }
  for (const side of [pair.before, pair.after]) {
    if (side === undefined || side.inode.type === 'file') continue;
    throw new CalveError('usage', `${path} is no file but a ${side.inode.type}`, {
      hint: 'calve diff, without --content, lists the files that differ',
    });
  }
  const contents = {
    before: await contentOf(pair.before, most, signal),
    after: await contentOf(pair.after, most, signal),
    differ: await pair.contentDiffers(signal),
  };
  await verify();
  return contents;
}

async function contentOf(
  side: PathSide | undefined,
  most: number,
  signal: AbortSignal | undefined,
): Promise<FileContent | null> {
  if (side === undefined) return null;
  const { tree, inode } = side;
  if (inode.size > most) return { size: inode.size, bytes: null };
  const bytes = Buffer.alloc(inode.size);
  for (let at = 0; at < bytes.length; ) {
    signal?.throwIfAborted();
    at += await tree.read(inode, at, bytes.subarray(at, at + (1 << 20)));
  }
  return { size: inode.size, bytes };
}
