import type { Extent } from '../disk/index.ts';

/** A range that is copied at once. Bytes. */
export interface CopyPiece {
  readonly offset: number;
  readonly length: number;
  readonly zero: boolean;
}

/** How extents are cut. */
export interface PieceOptions {
  /** Bytes in all: where the last cluster ends. */
  readonly size: number;
  /** Pieces are whole clusters of so many bytes, which are data when any part of them is. */
  readonly clusterSize: number;
  /** The longest piece of data, bytes, a multiple of the cluster size. */
  readonly most: number;
}

/** The longest piece of zeros: so that work on them can be ended. */
const MOST_ZEROS = 1 << 30;

/** Cuts extents, in order, to pieces; what lies in no extent lies in no piece, but for the rest of a cluster. */
export async function* copyPieces(
  extents: AsyncIterable<Extent>,
  options: PieceOptions,
): AsyncGenerator<CopyPiece> {
  for await (const run of joined(wholeClusters(extents, options))) {
    const end = run.offset + run.length;
    for (let at = run.offset; at < end; ) {
      const most = run.zero ? MOST_ZEROS : options.most - (at % options.most);
      const length = Math.min(most, end - at);
      yield { offset: at, length, zero: run.zero };
      at += length;
    }
  }
}

async function* wholeClusters(
  extents: AsyncIterable<Extent>,
  { size, clusterSize }: PieceOptions,
): AsyncGenerator<CopyPiece> {
  // The cluster that the last extent ended in the middle of.
  let open: { readonly offset: number; zero: boolean } | undefined;
  const wholeOf = ({ offset, zero }: { readonly offset: number; readonly zero: boolean }) => ({
    offset,
    length: Math.min(clusterSize, size - offset),
    zero,
  });
  for await (const { offset, length, kind } of extents) {
    const zero = kind !== 'data';
    const end = offset + length;
    let at = offset - (offset % clusterSize);
    if (open !== undefined && open.offset === at) {
      open.zero &&= zero;
      if (end < at + clusterSize && end < size) continue;
      yield wholeOf(open);
      at += clusterSize;
    } else if (open !== undefined) yield wholeOf(open);
    open = undefined;
    const isLast = end >= size;
    const last = isLast ? size : end - (end % clusterSize);
    if (last > at) yield { offset: at, length: last - at, zero };
    if (!isLast && end > Math.max(last, at)) open = { offset: last, zero };
  }
  if (open !== undefined) yield wholeOf(open);
}

async function* joined(pieces: AsyncIterable<CopyPiece>): AsyncGenerator<CopyPiece> {
  let open: CopyPiece | undefined;
  for await (const piece of pieces) {
    if (open !== undefined && open.zero === piece.zero && open.offset + open.length === piece.offset) {
      open = { ...open, length: open.length + piece.length };
      continue;
    }
    if (open !== undefined) yield open;
    open = piece;
  }
  if (open !== undefined) yield open;
}
