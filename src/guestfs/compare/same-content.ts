import type { DiskRange, FileExtent, FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import type { TreePair } from './tree-pair.ts';

/** Bytes that are compared at a time. */
const PIECE = 256 * 1024;

/**
 * Whether two regular files of one size hold the same bytes. Only what may differ is read: not holes that both have, and
 * not what lies at the same place of both disks and is equal there. Memory is bounded, however large they are.
 */
export async function sameContent(
  { before, after, mayDiffer }: Pick<TreePair, 'before' | 'after' | 'mayDiffer'>,
  old: Inode,
  now: Inode,
  signal?: AbortSignal,
): Promise<boolean> {
  const buffers: Buffer[] = [];
  for await (const { offset, length } of doubtful({ before, after, mayDiffer }, old, now)) {
    for (let at = offset; at < offset + length; at += PIECE) {
      signal?.throwIfAborted();
      const wanted = Math.min(PIECE, offset + length - at);
      if ((buffers[0]?.length ?? 0) < wanted)
        buffers.splice(0, 2, Buffer.allocUnsafe(wanted), Buffer.allocUnsafe(wanted));
      const [left, right] = buffers.map((buffer) => buffer.subarray(0, wanted)) as [Buffer, Buffer];
      const read = [await before.read(old, at, left), await after.read(now, at, right)];
      if (read[0] !== read[1] || !left.subarray(0, read[0]).equals(right.subarray(0, read[1]))) return false;
    }
  }
  return true;
}

/** The ranges of two files that may hold different bytes. */
async function* doubtful(
  { before, after, mayDiffer }: Pick<TreePair, 'before' | 'after' | 'mayDiffer'>,
  old: Inode,
  now: Inode,
): AsyncGenerator<DiskRange> {
  const { size } = now;
  const left = new Extents(before, old);
  const right = new Extents(after, now);
  try {
    for (let at = 0; at < size; ) {
      const [l, r] = [await left.at(at), await right.at(at)];
      if (l === undefined || r === undefined) {
        yield { offset: at, length: size - at };
        return;
      }
      let length = Math.min(l.offset + l.length, r.offset + r.length, size) - at;
      const places = [l, r].map(({ offset, diskOffset }) =>
        diskOffset === null ? null : diskOffset + at - offset,
      );
      const place = places[0] ?? null;
      if (place !== (places[1] ?? null)) yield { offset: at, length };
      else if (place !== null) {
        // In pieces: of a large file that was changed here and there, the rest need not be read.
        length = Math.min(length, PIECE);
        if (mayDiffer === undefined || mayDiffer(place, length)) yield { offset: at, length };
      }
      at += length;
    }
  } finally {
    await left.end();
    await right.end();
  }
}

/** The extents of a file, asked for from its start to its end. */
class Extents {
  readonly #extents: AsyncIterator<FileExtent> | undefined;
  #current: FileExtent | undefined;

  constructor(tree: FileTree, inode: Inode) {
    this.#extents = tree.extents?.(inode)[Symbol.asyncIterator]();
  }

  /** The extent that holds a byte; undefined where none is told. */
  async at(offset: number): Promise<FileExtent | undefined> {
    while (this.#current === undefined || this.#current.offset + this.#current.length <= offset) {
      const next = await this.#extents?.next();
      if (next === undefined || next.done === true) return undefined;
      this.#current = next.value;
    }
    return this.#current.offset <= offset ? this.#current : undefined;
  }

  async end(): Promise<void> {
    await this.#extents?.return?.();
  }
}
