import { MAXIMUM_PAYLOAD } from '../protocol/numbers.ts';

/** What requests to an export must keep to, bytes. */
export interface BlockSizes {
  /** Offsets and lengths are multiples of it; a power of two. */
  readonly minimum: number;
  /** The most data of one request; a multiple of `minimum`. */
  readonly maximum: number;
}

/** A server that says nothing of sizes can be asked for sectors (section "Size constraints"). */
const SECTOR = 512;
/** The most that a minimum may be. */
const LARGEST_MINIMUM = 65_536;

/** The sizes for an export of which the server told none. */
export function defaultBlockSizes(size: number): BlockSizes {
  return { minimum: size % SECTOR === 0 ? SECTOR : 1, maximum: MAXIMUM_PAYLOAD };
}

/**
 * The sizes that a server told.
 * @returns undefined when they break the rules
 */
export function checkBlockSizes(minimum: number, maximum: number): BlockSizes | undefined {
  const isPowerOfTwo = minimum > 0 && (minimum & (minimum - 1)) === 0;
  if (!isPowerOfTwo || minimum > LARGEST_MINIMUM || maximum < minimum) return undefined;
  const most = Math.min(maximum, MAXIMUM_PAYLOAD);
  return { minimum, maximum: most - (most % minimum) };
}
