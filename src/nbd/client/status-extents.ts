import type { Extent } from '../../disk/index.ts';
import { AllocationFlag } from '../protocol/numbers.ts';
import type { StatusByContext } from './pending-request.ts';
import type { StatusExtent } from './status-chunk.ts';

export const ALLOCATION = 'base:allocation';
export const DEPTH = 'qemu:allocation-depth';

/**
 * What a server said of a range as extents of a disk. It may have said less than was asked for, or more: extents are cut at
 * `end`.
 * @param offset where what it said begins
 */
export function* statusExtents(status: StatusByContext, offset: number, end: number): Generator<Extent> {
  const allocation = new Cursor(status.get(ALLOCATION) ?? []);
  const depths = status.get(DEPTH);
  const depth = depths && new Cursor(depths);
  let at = offset;
  while (at < end && allocation.left > 0 && (depth === undefined || depth.left > 0)) {
    const length = Math.min(allocation.left, depth?.left ?? Number.POSITIVE_INFINITY, end - at);
    yield { offset: at, length, ...describe(allocation.flags, depth?.flags) };
    allocation.advance(length);
    depth?.advance(length);
    at += length;
  }
}

/** What a context says of a stretch, in bytes: 32 bits, or 64 where the server can, whose meaning is the context's. */
export interface StatusRange {
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
}

/** What a server said of a range in one context, cut at `end`. */
export function* statusRanges(
  extents: readonly StatusExtent[],
  offset: number,
  end: number,
): Generator<StatusRange> {
  let at = offset;
  for (const { length, flags } of extents) {
    if (at >= end) return;
    yield { offset: at, length: Math.min(length, end - at), flags };
    at += length;
  }
}

/** QEMU counts the layers of a chain from 1; 0 says that none decides. */
function describe(flags: number, depth: number | undefined): Pick<Extent, 'kind' | 'depth'> {
  const isZero = (flags & AllocationFlag.zero) !== 0;
  if (depth === 0) return { kind: isZero ? 'unallocated' : 'data', depth: 0 };
  return { kind: isZero ? 'zero' : 'data', depth: (depth ?? 1) - 1 };
}

/** Where one is in a list of extents. */
class Cursor {
  readonly #extents: readonly StatusExtent[];
  #index = 0;
  #used = 0;

  constructor(extents: readonly StatusExtent[]) {
    this.#extents = extents;
  }

  /** Bytes that are left of the extent; 0 past the last one. */
  get left(): number {
    return (this.#extents[this.#index]?.length ?? 0) - this.#used;
  }

  get flags(): number {
    return this.#extents[this.#index]?.flags ?? 0;
  }

  advance(length: number): void {
    this.#used += length;
    if (this.left > 0) return;
    this.#index += 1;
    this.#used = 0;
  }
}
