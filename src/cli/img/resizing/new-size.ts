import { imgError } from '../img-error.ts';
import { parseSize } from '../options/parse-size.ts';

/** A size as typed: bytes, or how many more or fewer. */
export interface TypedSize {
  readonly sign: -1 | 0 | 1;
  readonly bytes: bigint;
}

/** @throws CalveError in qemu-img's words */
export function readNewSize(text: string): TypedSize {
  const sign = text.startsWith('+') ? 1 : text.startsWith('-') ? -1 : 0;
  const bytes = parseSize(sign === 0 ? text : text.slice(1));
  if (typeof bytes === 'bigint') return { sign, bytes };
  throw imgError("Parameter 'size' expects a non-negative number below 2^64", {
    more: 'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.',
  });
}

/**
 * The size that a disk gets, bytes.
 * @throws CalveError in qemu-img's words, where it is none
 */
export function newSize({ sign, bytes }: TypedSize, present: number): bigint {
  // As C counts, where 2^63 and more is below 0.
  const size = BigInt.asIntN(64, sign === 0 ? bytes : BigInt(present) + BigInt(sign) * bytes);
  if (size <= 0n) throw imgError('New image size must be positive');
  return size;
}
