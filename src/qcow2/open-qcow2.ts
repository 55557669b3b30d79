import type { Disk } from '../disk/index.ts';
import { type HostFile, lockImage, openFile } from '../host/index.ts';
import type { BackingPolicy } from './backing-policy.ts';
import { Chain, type ChainLimits } from './chain.ts';
import { type DataFilePolicy, denyDataFile } from './data-file-policy.ts';
import type { EncryptionOptions } from './encryption/index.ts';
import { openImage } from './open-image.ts';
import type { Qcow2Disk } from './qcow2-disk.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import type { DetectZeroes } from './writing/detect-zeroes.ts';

/** How an image is opened. The limits count for a chain that begins here. */
export interface OpenQcow2Options extends ChainLimits {
  /** Reading and writing (default false: reading alone). */
  readonly writable?: boolean;
  /** QEMU's image lock for the access (default true). */
  readonly lock?: boolean;
  /** What to do when the image names a backing file; see `denyBacking` and `followBacking`. */
  readonly backing: BackingPolicy;
  /** What to do when the image keeps its guest data in a file of its own (default `denyDataFile`). */
  readonly dataFile?: DataFilePolicy;
  /** What opens an encrypted image (LUKS, and QEMU's legacy AES). */
  readonly encryption?: EncryptionOptions;
  /** What becomes of zeros that are written (default off: they are data). */
  readonly detectZeroes?: DetectZeroes;
  /** Looks at the image's file, which is open and locked, before a byte of it is used; what it throws refuses the image. */
  readonly admit?: (file: HostFile) => void | Promise<void>;
  /** A policy that opens an image passes its request's chain on. */
  readonly chain?: Chain;
}

/**
 * Opens a qcow2 image as a disk. Before it is written, an image that was not closed has its refcounts rebuilt, which is
 * one of its `warnings` then (trap 10).
 * @throws CalveError `not-found`, `denied`, `in-use` (with `data.holders`), `io`; `invalid` or `unsupported`, naming the
 *   header field; `corrupt`, with the command that mends it; what the policies throw
 *
 * @example
 * await using disk = await openQcow2('disk.qcow2', { backing: denyBacking });
 * const sector = new Uint8Array(512);
 * await disk.read(sector, 0);
 */
export async function openQcow2(path: string, options: OpenQcow2Options): Promise<Qcow2Disk> {
  const { writable = false } = options;
  const chain = (options.chain ?? Chain.begin(options)).enter(path);
  const file = await openFile(path, { writable });
  try {
    // Before anything is read: what a writer changes meanwhile must not be seen half.
    if (options.lock !== false) lockImage(file, writable ? 'write' : 'read');
    await options.admit?.(file);
    const { encryption = {}, lock = true, dataFile = denyDataFile, detectZeroes = 'off' } = options;
    const policies = { openBacking: follow, dataFile };
    return await openImage(file, { writable, chain, encryption, lock, detectZeroes, ...policies });
  } catch (error) {
    await file.close();
    throw error;
  }

  async function follow(header: Qcow2Header): Promise<Disk | null> {
    const { backingFile, backingFormat } = header;
    if (backingFile === undefined) return null;
    const { ancestors } = chain;
    const depth = ancestors.length;
    return options.backing({ imagePath: path, backingFile, backingFormat, depth, ancestors, chain });
  }
}
