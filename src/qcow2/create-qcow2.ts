import { rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type HostFile, openFile } from '../host/index.ts';
import { createDataFile } from './creating/create-data-file.ts';
import { type ImageLayout, layOutImage } from './creating/image-layout.ts';
import { type Preallocation, type SettledOptions, settleOptions } from './creating/image-options.ts';
import { imageParts } from './creating/image-parts.ts';
import { newHeader } from './creating/new-header.ts';
import type { NewImageFile } from './creating/new-image-file.ts';
import { openNewFile } from './creating/open-new-file.ts';
import { reserveStorage } from './creating/reserve-storage.ts';
import type { EmptyImageOptions } from './empty-image.ts';
import type { LuksOptions, NewLuks } from './encryption/index.ts';

/** How a new image is made. */
export interface CreateOptions extends EmptyImageOptions {
  /**
   * The file that holds the guest's data in the image's place (default none; not in version 2). It is made too, of the
   * disk's size. A relative path starts from the image's folder; QEMU takes it from the folder that it runs in.
   */
  readonly dataFile?: string;
  /** The data file reads as the disk on its own (default false; not over a backing file). Then every cluster has its place. */
  readonly dataFileRaw?: boolean;
  /** Where the relative path of a data file starts from (default the image's folder). */
  readonly dataFileFolder?: string;
  /** Whether a data file that is there loses what it holds (default false: then it is in the way). */
  readonly overwriteDataFile?: boolean;
  /** Whether an image, or whatever file is there, is lost (default false: it is in the way). It must not be in use. */
  readonly overwrite?: boolean;
  /** How much has its place from the start (default `off`; over a backing file nothing else, unless with `extendedL2`). */
  readonly preallocation?: Preallocation;
  /** Encrypts guest data (default not). */
  readonly encryption?: CreateEncryption;
  /** The file is durable when the promise resolves, though not yet its name in the folder (default true). */
  readonly sync?: boolean;
  readonly signal?: AbortSignal;
}

/** What opens the image, and how it is encrypted. */
export interface CreateEncryption extends LuksOptions {
  /** The caller's, to be wiped when the image is made. */
  readonly passphrase: Uint8Array;
  /** Default `luks`. `aes` is QEMU's old way, which is weak, and takes no further options. */
  readonly method?: 'luks' | 'aes';
}

/**
 * Makes an image that reads as its backing file, or as zeros. The backing file is not opened. After an error there is no
 * file, nor a data file that was not there before.
 *
 * Options are those of `qemu-img create`, and so is what goes together. One differs: an encrypted image of version 2
 * cannot be preallocated, because QEMU's reads noise.
 * @throws CalveError `exists`; `out-of-range` with `data.option`, `usage`, `unsupported`; `in-use` of a data file;
 *   `no-space`, `io`, `aborted`
 *
 * @example
 * await createQcow2('disk.qcow2', { size: 10 * 1024 ** 3 });
 */
export async function createQcow2(path: string, options: CreateOptions): Promise<void> {
  const { signal } = options;
  const write = await prepare(options);
  await using file = await (options.overwrite === true
    ? openNewFile(path)
    : openFile(path, { create: true }));
  try {
    const settled = await write(file);
    if (settled.dataFile !== undefined) await makeDataFile(file, settled, options);
  } catch (error) {
    // The name was free, and half an image is no use to anybody.
    await rm(path, { force: true });
    throw signal?.aborted && error === signal.reason ? aborted(path, error) : error;
  }
}

/**
 * As `createQcow2`, in what is open already, and loses what it holds: on a network, or inside of another image. After an
 * error it holds no image. Without an external data file.
 * @throws CalveError as `createQcow2`
 */
export async function createQcow2In(
  file: NewImageFile,
  options: Omit<CreateOptions, 'dataFile' | 'dataFileRaw' | 'overwrite'>,
): Promise<void> {
  const write = await prepare(options);
  await write(file);
}

/** All that can be known to be wrong is found here, before anything is touched. */
async function prepare(options: CreateOptions): Promise<(file: NewImageFile) => Promise<SettledOptions>> {
  const { encryption, signal } = options;
  const settled = settleOptions({ ...options, encryption: encryption && (encryption.method ?? 'luks') });
  const luks = settled.encryption === 'luks' && encryption ? await makeLuks(encryption, signal) : undefined;
  const luksLength = luks?.areaLength ?? 0;
  const layout = layOutImage(settled, luksLength);
  const header = newHeader(settled, layout, luksLength);
  return async (file) => {
    await writeStructures(file, settled, layout, options);
    if (luks) await file.write(luks.bytes, layout.luksOffset);
    // What is cut off by a crash has no header, so that nobody takes it for an image.
    await file.write(header, 0);
    if (options.sync !== false) await file.sync();
    return settled;
  };
}

async function makeLuks(encryption: CreateEncryption, signal?: AbortSignal): Promise<NewLuks> {
  const { passphrase, method: _luks, ...options } = encryption;
  const { createLuks } = await import('./encryption/create-luks.ts');
  const luks = await createLuks(passphrase, { ...(signal && { signal }), ...options });
  // Nothing is written yet that it could encrypt.
  luks.cipher[Symbol.dispose]();
  return luks;
}

async function writeStructures(
  file: NewImageFile,
  settled: SettledOptions,
  layout: ImageLayout,
  { signal }: CreateOptions,
): Promise<void> {
  const { preallocation, dataFile, clusterSize } = settled;
  await file.truncate(layout.length);
  for (const { offset, bytes } of imageParts(settled, layout)) {
    signal?.throwIfAborted();
    await file.write(bytes, offset);
  }
  if (dataFile !== undefined) return;
  const { guestOffset, guestClusters } = layout;
  await reserveStorage(file, guestOffset, guestClusters * clusterSize, preallocation, signal);
}

async function makeDataFile(file: HostFile, settled: SettledOptions, options: CreateOptions): Promise<void> {
  const { size, dataFile = '', preallocation } = settled;
  const { overwriteDataFile = false, sync = true, signal } = options;
  const path = resolve(options.dataFileFolder ?? dirname(file.path), dataFile);
  await createDataFile(path, file, { size, preallocation, overwrite: overwriteDataFile, sync, signal });
}

function aborted(path: string, cause: unknown): CalveError {
  return new CalveError('aborted', `making ${path} was aborted`, { cause });
}
