import { CalveError } from '../../errors/index.ts';
import { printablePath } from '../printable-path.ts';
import { LONGEST_NAME } from './long-name.ts';

const WHOLE = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** FAT specification, "Long File Name Implementation": neither these nor control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const FORBIDDEN = /["*/:<>?\\|\u0000-\u001f\u007f]/u;

/**
 * A name as text, when a directory of FAT can hold it.
 *
 * @param path that ends with the name, for the error
 * @throws CalveError `unsupported`
 */
export function fatName(name: Buffer, path: Buffer): string {
  const refuse = (reason: string): never => {
    throw new CalveError(
      'unsupported',
      `${printablePath(path)}: a FAT file system cannot hold its name: ${reason}`,
    );
  };
  let text: string;
  try {
    text = WHOLE.decode(name);
  } catch {
    return refuse('it is no UTF-8');
  }
  const [forbidden] = FORBIDDEN.exec(text) ?? [];
  if (forbidden !== undefined) refuse(`it has ${JSON.stringify(forbidden)} in it`);
  if (text === '' || /[. ]$/.test(text)) refuse('it is empty, or ends with a dot or a space');
  if (text.length > LONGEST_NAME)
    refuse(`it has ${text.length} units of UTF-16, and the most are ${LONGEST_NAME}`);
  return text;
}
