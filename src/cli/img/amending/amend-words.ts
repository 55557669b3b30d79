import { CalveError } from '../../../errors/index.ts';
import { imgError } from '../img-error.ts';
import { qcow2Words } from '../opening/qcow2-words.ts';

/** What the qcow2 room says of an amendment, in the words of QEMU where scripts and tests know them. */
export function amendWords(error: unknown, refcountBits: number | undefined): unknown {
  if (!CalveError.is(error)) return error;
  const { features, offset, refcount } = error.data;
  const words = (message: string) => imgError(message, { code: error.code, cause: error });
  if (error.code === 'unsupported' && Array.isArray(features)) {
    const known = features.map((feature) => DOWNGRADE[String(feature)]).find((each) => each !== undefined);
    if (known !== undefined) return words(known);
  }
  if (error.code === 'out-of-range' && typeof offset === 'number' && refcount !== undefined) {
    const where = `Cluster at offset 0x${offset.toString(16)} has a refcount of ${refcount}`;
    return words(`Cannot decrease refcount entry width to ${refcountBits} bits: ${where}`);
  }
  return qcow2Words(error);
}

/** What version 2 has no room for; the numbers are those of the header's incompatible features. */
const DOWNGRADE: Readonly<Record<string, string>> = {
  'external data file': 'Cannot downgrade an image with a data file',
  'extended L2 entries': 'Cannot downgrade an image with incompatible features 0x10 set',
  'compression type': 'Cannot downgrade an image with incompatible features 0x8 set',
  snapshots: 'Internal snapshots prevent downgrade of image',
};
