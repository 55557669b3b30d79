import { extentsOf, openRawDisk } from '../disk/index.ts';
import { lockImage, openFile } from '../host/index.ts';
import type { ForeignFormat } from '../img/index.ts';
import { checkVhd } from './check-vhd.ts';
import type { ForeignImage } from './foreign-image.ts';
import { currentState, type ImportSource } from './import-state.ts';
import { runQemuImg } from './run-qemu-img.ts';
import type { Staging } from './staging.ts';
import type { WorkOptions } from './types.ts';
import { openVmdk } from './vmdk-source.ts';

/** How an image of a foreign format is read. */
export interface ForeignSourceOptions extends WorkOptions {
  /** Whether a VMDK descriptor's extents, files in its own folder, are read (default false). */
  readonly chain?: boolean | undefined;
}

/**
 * Reads an image of a foreign format: qemu-img converts it to a raw file in staging. What could make qemu-img read files
 * that the caller did not name is looked for first and refused; the file that was looked at is the very one that it gets.
 * @throws CalveError `unsupported` where qemu-img is not installed, and for what is not kept; `denied` for an image that
 *   names other files; `invalid` with qemu-img's last line; `not-found`, `in-use`, `no-space`, `aborted`
 */
export async function openForeignSource(
  path: string,
  format: ForeignFormat,
  staging: Staging,
  options: ForeignSourceOptions,
): Promise<ImportSource> {
  const target = staging.path('converted.raw');
  {
    await using image = await openForeign(path, format, staging, options);
    const { file } = image;
    const total = file.stat().size;
    await runQemuImg(['convert', '-p', '-f', format, '-O', 'raw', '-S', '4k', SOURCE, target], {
      doing: `cannot read ${path} as ${format}`,
      fd: file.fd,
      signal: options.signal,
      onPercent: (percent) =>
        options.onProgress?.({ phase: 'converting', done: Math.round((total * percent) / 100), total }),
    });
  }
  const disk = await openRawDisk(target, { lock: false });
  return {
    states: [currentState(path, disk, (opened) => extentsOf(opened, 0, opened.size))],
    warnings: [],
    [Symbol.asyncDispose]: () => disk.close(),
  };
}

/** The file that was opened here, by whatever name; and no parent, whatever it says. */
const SOURCE = `json:${JSON.stringify({
  file: { driver: 'file', filename: '/proc/self/fd/3' },
  backing: null,
})}`;

async function openForeign(
  path: string,
  format: ForeignFormat,
  staging: Staging,
  { chain = false }: ForeignSourceOptions,
): Promise<ForeignImage> {
  if (format === 'vmdk') return openVmdk(path, staging, chain);
  const file = await openFile(path);
  try {
    lockImage(file, 'read');
    // The other formats name no files, or QEMU refuses those that do.
    if (format === 'vpc') await checkVhd(file);
    return { file, [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}
