import { imgError } from '../img-error.ts';
import type { ConvertWords } from './convert-words.ts';

/**
 * Checks what goes together, ahead of looking at any image.
 * @throws CalveError in qemu-img's words
 */
export function checkConvertWords(words: ConvertWords): void {
  const { flags, isSparseGiven } = words;
  const refuse = (isWrong: boolean, message: string) => {
    if (isWrong) throw imgError(message);
  };
  const offloads = flags.has('copyOffload');
  refuse(offloads && flags.has('compress'), 'Cannot enable copy offloading when -c is used');
  refuse(offloads && isSparseGiven, 'Cannot enable copy offloading when -S is used');
  refuse(offloads && flags.has('salvage'), 'Cannot use copy offloading in salvaging mode');
  const creates = !flags.has('noCreate');
  refuse(creates && flags.has('targetImageOptions'), '--target-image-opts requires use of -n flag');
  refuse(!creates && words.options !== undefined, '-o has no effect when skipping image creation');
  refuse(
    flags.has('skipBrokenBitmaps') && !flags.has('bitmaps'),
    'Use of --skip-broken-bitmaps requires --bitmaps',
  );
  refuse(creates && flags.has('targetIsZero'), '--target-is-zero requires use of -n flag');
}
