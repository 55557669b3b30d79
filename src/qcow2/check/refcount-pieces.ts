import type { ImageFile } from '../image-file.ts';
import type { CheckGeometry } from './check-geometry.ts';
import { readPieces } from './read-pieces.ts';
import type { RefcountBlocks } from './refcount-blocks.ts';

/** Refcounts of clusters that follow each other. Valid until the next is asked for. */
export interface RefcountPiece {
  /** First cluster. */
  readonly first: number;
  /** The cluster behind. */
  readonly end: number;
  /**
   * - `stored`: `bytes` has them, from `hostOffset` in the file
   * - `none`: there is no block, or none in the file: all are 0
   * - `unreadable`: there is no saying what they are
   */
  readonly state: 'stored' | 'none' | 'unreadable';
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly hostOffset: number;
}

const NO_BYTES = new Uint8Array();
const NO_VIEW = new DataView(NO_BYTES.buffer);

/**
 * Reads the refcounts of a range of clusters, in order and without gaps.
 * @param first so aligned that its refcount starts a byte, as is every multiple of 8
 */
export async function* refcountPieces(
  file: ImageFile,
  blocks: RefcountBlocks,
  geometry: CheckGeometry,
  first: number,
  end: number,
): AsyncGenerator<RefcountPiece> {
  const { blockEntries, refcountBits, fileEnd } = geometry;
  for (let at = first; at < end; ) {
    const index = Math.floor(at / blockEntries);
    const blockStart = index * blockEntries;
    const stop = Math.min(end, blockStart + blockEntries);
    const state = stateOf(index);
    if (state !== 'stored') {
      let next = index + 1;
      while (next * blockEntries < end && stateOf(next) === state) next += 1;
      const behind = Math.min(end, next * blockEntries);
      yield { first: at, end: behind, state, bytes: NO_BYTES, view: NO_VIEW, hostOffset: 0 };
      at = behind;
      continue;
    }
    const offset = blocks.offsets[index] ?? 0;
    const from = offset + ((at - blockStart) * refcountBits) / 8;
    const length = Math.ceil(((stop - at) * refcountBits) / 8);
    for await (const { offset: hostOffset, bytes } of readPieces(file, from, length)) {
      const pieceEnd = Math.min(stop, at + (bytes.length * 8) / refcountBits);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      yield { first: at, end: pieceEnd, state: 'stored', bytes, view, hostOffset };
      at = pieceEnd;
    }
  }
  function stateOf(index: number): RefcountPiece['state'] {
    if (!blocks.isReadable(index)) return 'unreadable';
    const offset = blocks.offsets[index] ?? 0;
    return offset === 0 || offset >= fileEnd ? 'none' : 'stored';
  }
}
