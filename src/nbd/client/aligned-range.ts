/** A range of a disk, and the blocks that it touches. Bytes. */
export interface AlignedRange {
  /** The first byte of the first block. */
  readonly start: number;
  /** One past the last byte of the last block. */
  readonly end: number;
  /** The blocks that lie in the range as a whole; empty when `from` is not below `to`. */
  readonly from: number;
  readonly to: number;
  /** Whether the range consists of whole blocks. */
  readonly isAligned: boolean;
}

/** @param block a power of two */
export function alignRange(offset: number, length: number, block: number): AlignedRange {
  const end = offset + length;
  const start = offset - (offset % block);
  const from = start === offset ? start : start + block;
  const to = end - (end % block);
  return { start, end: to === end ? to : to + block, from, to, isAligned: start === offset && to === end };
}
