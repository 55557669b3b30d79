import { readNumber64 } from '../protocol/request.ts';

/** A stretch and what a context says of it, as a server told it. */
export interface StatusExtent {
  readonly length: number;
  readonly flags: number;
}

/** Extents that a server may tell in one reply (section "Structured reply types"). */
const MOST_EXTENTS = 1 << 20;

/** The longest payload of a status chunk, bytes. */
export const LONGEST_STATUS: number = 8 + 16 * MOST_EXTENTS;

/**
 * Reads the payload of a chunk of block status.
 * @returns undefined when it breaks the rules
 */
export function decodeStatusChunk(
  payload: Buffer,
  isExtended: boolean,
): { readonly id: number; readonly extents: readonly StatusExtent[] } | undefined {
  const [fixed, each] = isExtended ? [8, 16] : [4, 8];
  const count = (payload.length - fixed) / each;
  if (!Number.isInteger(count) || count < 1 || count > MOST_EXTENTS) return undefined;
  if (isExtended && payload.readUInt32BE(4) !== count) return undefined;
  const extents: StatusExtent[] = [];
  for (let at = fixed; at < payload.length; at += each) {
    const length = isExtended ? readNumber64(payload, at) : payload.readUInt32BE(at);
    const flags = isExtended ? readNumber64(payload, at + 8) : payload.readUInt32BE(at + 4);
    if (length === 0) return undefined;
    extents.push({ length, flags });
  }
  return { id: payload.readUInt32BE(0), extents };
}
