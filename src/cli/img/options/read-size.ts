import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { parseSize } from './parse-size.ts';

const MOST = (1n << 63n) - 1n;
const SUFFIXES =
  'You may use k, M, G, T, P or E suffixes for\nPROGRAM: kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.';

/**
 * A size that is an operand or the value of an option of its own, bytes. Above 2^53 it is rounded, which no disk of that
 * size notices.
 * @param what as in the message: `image size`
 * @throws CalveError in qemu-img's words
 */
export function readSize(...given: Parameters<typeof readExactSize>): number {
  return Number(readExactSize(...given));
}

/** As `readSize`, of every size below 2^63. */
export function readExactSize(
  text: string,
  what: string,
  context: ImgContext,
  { min = 0n, max = MOST }: { readonly min?: bigint; readonly max?: bigint } = {},
): bigint {
  const size = parseSize(text);
  if (size === 'malformed') {
    throw imgError(`Invalid ${what} specified. ${SUFFIXES.replace('PROGRAM', context.program)}`);
  }
  if (size === 'too-large' || size < min || size > max) {
    throw imgError(`Invalid ${what} specified. Must be between ${min} and ${max}.`);
  }
  return size;
}
