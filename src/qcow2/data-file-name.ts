import { CalveError } from '../errors/index.ts';
import { EXTENSION } from './constants.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/**
 * Section "Header extensions", external data file name: what the image names, word for word; undefined when it names
 * none.
 * @throws CalveError `invalid` for bytes that are no name
 */
export function dataFileName(header: Qcow2Header): string | undefined {
  const bytes = header.extensions.find(({ type }) => type === EXTENSION.dataFile)?.data;
  if (!bytes) return undefined;
  const name = Buffer.from(bytes).toString('utf8');
  if (name !== '' && !name.includes('\0') && Buffer.from(name).equals(bytes)) return name;
  const field = 'data file name';
  const message = `${field}: expected UTF-8 without a zero byte, got ${JSON.stringify(name)}`;
  throw new CalveError('invalid', message, { data: { field, value: name } });
}
