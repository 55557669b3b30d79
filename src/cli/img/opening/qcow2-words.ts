import { CalveError, errnoOf } from '../../../errors/index.ts';
import { imgError } from '../img-error.ts';
import { errnoText } from '../printing/errno-text.ts';

/** What the qcow2 room says of an image, in the words of QEMU where scripts and tests know them. */
export function qcow2Words(error: unknown): unknown {
  if (!CalveError.is(error) || error.data['img'] === true) return error;
  const { field, feature, value } = error.data;
  const words = wordsOf(error, field ?? feature, value);
  if (words === undefined) {
    const why = errnoText(errnoOf(error));
    return why === undefined ? error : imgError(why, { code: error.code, cause: error });
  }
  return imgError(words, { code: error.code, cause: error });
}

function wordsOf(error: CalveError, what: unknown, value: unknown): string | undefined {
  if (what === 'magic') return 'Image is not in qcow2 format';
  if (what === 'version') return `Unsupported qcow2 version ${value}`;
  if (error.data['cryptMethod'] !== undefined && error.code === 'denied') {
    return "Parameter 'encrypt.key-secret' is required for cipher";
  }
  if (error.code === 'denied' && error.message.includes('passphrase')) {
    return 'Invalid password, cannot unlock any keyslot';
  }
  if (error.code === 'corrupt' && what === 'corrupt') {
    return 'qcow2: Image is corrupt; cannot be opened read/write';
  }
  return undefined;
}
