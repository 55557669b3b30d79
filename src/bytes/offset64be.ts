import { type CoderType, U64BE, wrap } from 'micro-packed';
import { CalveError } from '../errors/index.ts';

/**
 * An unsigned 64-bit big-endian offset or length as a number.
 *
 * Every 64-bit field of a disk format passes through here, so that no value above 2^53 - 1, where numbers lose
 * single bytes, ever becomes an offset.
 * @throws CalveError `out-of-range`, both ways
 */
export const offset64BE: CoderType<number> = wrap({
  size: 8,
  encodeStream(writer, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw outOfRange(value);
    U64BE.encodeStream(writer, BigInt(value));
  },
  decodeStream(reader): number {
    const value = U64BE.decodeStream(reader);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw outOfRange(value);
    return Number(value);
  },
});

function outOfRange(value: number | bigint): CalveError {
  return new CalveError('out-of-range', `expected an offset from 0 to 2^53 - 1, got ${value}`, {
    data: { value: String(value) },
  });
}
