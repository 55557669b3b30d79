import { extentsOf } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { describeAddress, openNbd, parseNbdUri } from '../nbd/index.ts';
import type { ImportSourceOptions } from './import-source.ts';
import { currentState, type ImportSource } from './import-state.ts';

/**
 * Opens an export of an NBD server, for `openImportSource`. Its bytes are the disk's, whatever they look like. There is no
 * lock: nobody may write to it meanwhile.
 * @throws CalveError `usage` for what only files have; what `openNbd` throws
 */
export async function openNbdSource(uri: string, options: ImportSourceOptions): Promise<ImportSource> {
  const { format = 'raw', chain, snapshots, passphrase, signal } = options;
  if (format !== 'raw')
    throw new CalveError('usage', `${uri} is raw, as every export is: got the format ${format}`);
  if (chain === true || snapshots === true || passphrase !== undefined) {
    throw new CalveError('usage', `${uri} is a disk, which has no backing files, snapshots or passphrase`);
  }
  const disk = await openNbd(uri, { readOnly: true, ...(signal === undefined ? {} : { signal }) });
  const state = currentState(uri, disk, (opened) => extentsOf(opened, 0, opened.size));
  return {
    states: [{ ...state, from: nameOfExport(uri) }],
    warnings: [],
    [Symbol.asyncDispose]: () => disk.close(),
  };
}

/** What a version tells that it was made of: the export's name, or else where its server is. */
function nameOfExport(uri: string): string {
  const address = parseNbdUri(uri);
  return address.exportName || describeAddress(address);
}
