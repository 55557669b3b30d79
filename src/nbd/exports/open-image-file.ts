import { type Disk, extentsOf, openRawDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { openFile, statFile } from '../../host/index.ts';
import { probeFormat } from '../../img/index.ts';
import {
  denyBacking,
  denyDataFile,
  followBacking,
  followDataFile,
  openQcow2,
  type Qcow2Disk,
} from '../../qcow2/index.ts';

/** Which internal snapshot: by its id, its name, or both; or by its id or else its name. */
export type SnapshotChoice = { readonly id?: string; readonly name?: string } | { readonly idOrName: string };

/** How an image file is opened to be served. */
export interface ImageFileOptions {
  /** Default: what the file begins as, else raw. */
  readonly format?: 'raw' | 'qcow2' | undefined;
  /** Clients may write (default false). */
  readonly writable?: boolean | undefined;
  /** Follow the backing files and the data file that the image names (default false: such an image is refused). */
  readonly chain?: boolean | undefined;
  /** An internal snapshot, in place of the disk as it is now; it is read alone. */
  readonly snapshot?: SnapshotChoice | undefined;
  /** Opens images that are encrypted. */
  readonly passphrase?: Uint8Array | undefined;
}

/**
 * Opens a disk image that lies in a file, with QEMU's locks. A file that nobody may write is not written either by
 * those who could: so a store's layers stay as they are under root, too.
 * @throws CalveError `not-found`, `in-use`, `io`, `invalid`, `corrupt`; `denied` for a file without write permission, and
 *   for what the image names; `unsupported` for other formats, and for a snapshot of a raw file
 */
export async function openImageFile(path: string, options: ImageFileOptions = {}): Promise<Disk> {
  const { writable = false, snapshot } = options;
  if (writable) refuseReadOnlyFile(path);
  const format = options.format ?? (await probe(path));
  if (format === 'raw') {
    if (snapshot === undefined) return openRawDisk(path, { writable });
    throw new CalveError('unsupported', `${path} is raw, which has no snapshots`);
  }
  const image = await openImage(path, options);
  return snapshot === undefined ? image : snapshotOf(image, snapshot);
}

async function openImage(path: string, options: ImageFileOptions): Promise<Qcow2Disk> {
  const { writable = false, chain = false, passphrase } = options;
  const encryption = passphrase === undefined ? {} : { passphrase };
  const dataFile = chain ? followDataFile() : denyDataFile;
  try {
    return await openQcow2(path, {
      writable: writable && options.snapshot === undefined,
      backing: chain ? followBacking({ dataFile, encryption }) : denyBacking,
      dataFile,
      encryption,
    });
  } catch (error) {
    if (chain || !CalveError.is(error, 'denied') || !namesOthers(error)) throw error;
    throw new CalveError('denied', error.message, {
      cause: error,
      data: error.data,
      hint: `calve nbd --chain ${path}, if you trust what it names`,
    });
  }
}

function namesOthers({ data }: CalveError): boolean {
  return data['backingFile'] !== undefined || data['dataFile'] !== undefined;
}

/** A snapshot's disk, which ends with its image and takes it along. */
async function snapshotOf(image: Qcow2Disk, choice: SnapshotChoice): Promise<Disk> {
  let disk: Disk;
  try {
    disk = await image.openSnapshot('idOrName' in choice ? choice.idOrName : await idOf(image, choice));
  } catch (error) {
    await image.close();
    throw error;
  }
  const close = () => image.close();
  return {
    size: disk.size,
    read: (into, offset) => disk.read(into, offset),
    tryRead: (into, offset) => disk.tryRead?.(into, offset) ?? false,
    extents: (offset, length) => extentsOf(disk, offset, length),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function idOf(
  image: Qcow2Disk,
  wanted: { readonly id?: string; readonly name?: string },
): Promise<string> {
  const { id, name } = wanted;
  const found = (await image.snapshots()).find(
    (each) => (id ?? each.id) === each.id && (name ?? each.name) === each.name,
  );
  if (found !== undefined) return found.id;
  throw new CalveError('not-found', `no snapshot has ${JSON.stringify(wanted)}`, { data: { id, name } });
}

function refuseReadOnlyFile(path: string): void {
  const stat = statFile(path);
  if (stat === undefined || (stat.mode & 0o222) !== 0) return;
  throw new CalveError('denied', `${path} may not be written: its mode is ${stat.mode.toString(8)}`, {
    hint: 'calve nbd --read-only',
    data: { path },
  });
}

async function probe(path: string): Promise<'raw' | 'qcow2'> {
  await using file = await openFile(path);
  const format = await probeFormat(file);
  if (format === 'raw' || format === 'qcow2') return format;
  throw new CalveError('unsupported', `${path} is ${format}: expected raw or qcow2`, {
    hint: `calve import ${path} REF; then calve nbd REF. If it is raw all the same: calve nbd --format raw`,
    data: { path, format },
  });
}
