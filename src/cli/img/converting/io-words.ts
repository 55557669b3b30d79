import { CalveError, errnoOf } from '../../../errors/index.ts';
import { imgError, messageOf } from '../img-error.ts';
import { errnoText } from '../printing/errno-text.ts';

/** What QEMU says instead of what is told of an image here. */
const WORDS: Readonly<Record<string, string>> = {
  corrupt: 'Input/output error',
  io: 'Input/output error',
  'no-space': 'No space left on device',
  unsupported: 'Operation not supported',
  denied: 'Operation not permitted',
};

/** What went wrong with bytes on their way, as qemu-img says it: `error while reading at byte 0: Input/output error`. */
export function ioWords(doing: string, error: unknown): CalveError {
  const code = CalveError.is(error) ? error.code : 'io';
  return imgError(`error while ${doing}: ${whyOf(error)}`, { code, cause: error });
}

/** An error in the words of the C library. */
export function whyOf(error: unknown): string {
  const code = CalveError.is(error) ? error.code : 'io';
  // Data that cannot be unpacked has codes that are none of the system's: `Z_DATA_ERROR`.
  const errno = errnoOf(error);
  const text = errno?.includes('_') ? undefined : errnoText(errno);
  return text ?? WORDS[code] ?? messageOf(error);
}
