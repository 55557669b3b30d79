import { extentsOf, openRawDisk } from '../disk/index.ts';
import { openFile } from '../host/index.ts';
import { type ForeignFormat, type NativeFormat, probeFormat } from '../img/index.ts';
import { currentState, type ImportSource } from './import-state.ts';
import { isNbd } from './is-nbd.ts';
import { openQcow2Source, type Qcow2SourceOptions } from './qcow2-source.ts';
import type { Staging } from './staging.ts';
import type { WorkOptions } from './types.ts';

/** How an image is opened for an import. */
export interface ImportSourceOptions extends Qcow2SourceOptions, WorkOptions {
  /** Default: what the file begins as, else raw. */
  readonly format?: NativeFormat | ForeignFormat | undefined;
}

/**
 * Opens a disk image that came from outside, or an export of an NBD server by its URI. Nothing that it names is opened, unless the caller said so with `chain`.
 * @param staging takes what must be converted first
 * @throws CalveError `not-found`, `in-use`, `invalid`, `denied`; `unsupported` by the name of what cannot be kept
 */
export async function openImportSource(
  path: string,
  staging: Staging,
  options: ImportSourceOptions,
): Promise<ImportSource> {
  if (await isNbd(path)) {
    const { openNbdSource } = await import('./nbd-source.ts');
    return openNbdSource(path, options);
  }
  const format = options.format ?? (await formatOf(path));
  if (format === 'raw') return openRawSource(path);
  if (format === 'qcow2') return openQcow2Source(path, options);
  const { openForeignSource } = await import('./foreign-source.ts');
  return openForeignSource(path, format, staging, options);
}

async function openRawSource(path: string): Promise<ImportSource> {
  const disk = await openRawDisk(path);
  return {
    states: [currentState(path, disk, () => extentsOf(disk, 0, disk.size))],
    warnings: [],
    [Symbol.asyncDispose]: () => disk.close(),
  };
}

async function formatOf(path: string): Promise<NativeFormat | ForeignFormat> {
  await using file = await openFile(path);
  return await probeFormat(file);
}
