import { type Disk, RawDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { isQcow2 } from '../img/index.ts';
import {
  denyBacking,
  denyDataFile,
  followBacking,
  followDataFile,
  openQcow2,
  Qcow2Disk,
  readHeader,
} from '../qcow2/index.ts';
import type { ImportSource } from './import-state.ts';
import { type NamedImage, statesOf } from './qcow2-states.ts';

/** What of a qcow2 image is imported. */
export interface Qcow2SourceOptions {
  /** Follow what the image names: its backing files, each of which becomes a version, and data files (default false). */
  readonly chain?: boolean | undefined;
  /** Make a version of each internal snapshot (default false). */
  readonly snapshots?: boolean | undefined;
  /** Opens the images that are encrypted. */
  readonly passphrase?: Uint8Array | undefined;
}

/** Opens a qcow2 image that came from outside, for `openImportSource`. */
export async function openQcow2Source(path: string, options: Qcow2SourceOptions): Promise<ImportSource> {
  if (options.chain !== true) await refuseNames(path);
  const { top, paths } = await openImages(path, options);
  try {
    const images = imagesOf(top, paths);
    const { states, warnings } = await statesOf(images, options.snapshots === true);
    return {
      states,
      warnings: [...images.flatMap(warningsOf), ...warnings, ...(await disguised(images))],
      [Symbol.asyncDispose]: () => top.close(),
    };
  } catch (error) {
    await top.close();
    throw error;
  }
}

/** Opens the image, and with `chain` all that it names; tells which files were asked for, from the top down. */
async function openImages(
  path: string,
  { chain = false, passphrase }: Qcow2SourceOptions,
): Promise<{ readonly top: Qcow2Disk; readonly paths: readonly string[] }> {
  const paths = [path];
  const encryption = passphrase === undefined ? {} : { passphrase };
  const dataFile = chain ? followDataFile() : denyDataFile;
  const allow = async (each: string): Promise<void> => {
    paths.push(each);
  };
  const backing = chain ? followBacking({ dataFile, encryption, allow }) : denyBacking;
  try {
    return { top: await openQcow2(path, { backing, dataFile, encryption }), paths };
  } catch (error) {
    throw explained(error, paths);
  }
}

/** An error of a chain, in the words of who imports. */
function explained(error: unknown, paths: readonly string[]): unknown {
  if (!(error instanceof CalveError)) return error;
  const [at, above] = [paths.at(-1), paths.at(-2)];
  if (above !== undefined && error.code === 'invalid' && error.data['field'] === 'magic') {
    return new CalveError('invalid', `${above}: its backing file ${at} is said to be qcow2, and is not`, {
      cause: error,
      hint: `qemu-img rebase -u -F raw -b ${at} ${above}`,
      data: { imagePath: above, backingFile: at },
    });
  }
  if (error.code === 'denied' && error.data['cryptMethod'] !== undefined) {
    return new CalveError('denied', `${at} is encrypted (${error.data['cryptMethod']})`, {
      cause: error,
      hint: `calve import --secret-file FILE ${paths[0]}`,
      data: error.data,
    });
  }
  return error;
}

/** The images of an open chain, base first. */
function imagesOf(top: Qcow2Disk, paths: readonly string[]): NamedImage[] {
  const images: NamedImage[] = [];
  for (let disk: Disk | null = top; disk !== null; disk = disk instanceof Qcow2Disk ? disk.backing : null) {
    images.push({ path: paths[images.length] ?? '', disk });
  }
  return images.reverse();
}

function warningsOf({ path, disk }: NamedImage): string[] {
  if (!(disk instanceof Qcow2Disk)) return [];
  const { cryptMethod } = disk.header;
  return [
    ...disk.warnings,
    ...(cryptMethod === 'none' ? [] : [`${path} is encrypted (${cryptMethod}); what was imported is not`]),
  ];
}

/** A base is what the image above says: QEMU shows a qcow2 file that is said to be raw as its bytes. */
async function disguised(images: readonly NamedImage[]): Promise<string[]> {
  const [base, above] = images;
  if (base === undefined || above === undefined || !(base.disk instanceof RawDisk)) return [];
  if (!(await isQcow2(base.disk.file))) return [];
  return [`${base.path} begins as qcow2 files do; it was taken as raw, as ${above.path} says`];
}

/** Refuses what could only be kept by opening other files. */
async function refuseNames(path: string): Promise<void> {
  await using file = await openFile(path);
  const header = await readHeader(file);
  const hint = `calve import --chain ${path}, if you trust what it names`;
  if (header.backingFile !== undefined) {
    const { backingFile } = header;
    throw new CalveError(
      'unsupported',
      `${path} has a backing file, ${JSON.stringify(backingFile)}, which is not followed`,
      { hint, data: { path, backingFile } },
    );
  }
  if (header.incompatible.has('external data file')) {
    throw new CalveError('unsupported', `${path} keeps its data in a data file of its own`, {
      hint,
      data: { path, feature: 'external data file' },
    });
  }
}
