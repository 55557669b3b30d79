import { dirname, resolve } from 'node:path';
import { openRawDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { BackingPolicy, BackingRequest } from './backing-policy.ts';
import { type DataFilePolicy, denyDataFile } from './data-file-policy.ts';
import type { EncryptionOptions } from './encryption/index.ts';
import { openQcow2 } from './open-qcow2.ts';

/** How backing files are followed. */
export interface FollowOptions {
  /** QEMU's image lock for reading on each (default true). */
  readonly lock?: boolean;
  /** What to do with backing images that keep their guest data in a file of its own (default `denyDataFile`). */
  readonly dataFile?: DataFilePolicy;
  /** What opens backing images that are encrypted. */
  readonly encryption?: EncryptionOptions;
  /** Called with the path of each backing file before it is opened; throws for one that must not be. */
  readonly allow?: (path: string) => Promise<void>;
}

/**
 * Follows backing files as QEMU does, for images that are trusted: relative names start from the folder of the image
 * that names them. Only files, and only where the image says that they are qcow2 or raw: no format is guessed, because
 * a guest can make a raw disk look like anything; `json:` and protocol names are refused (traps 11 and 12).
 */
export function followBacking(options: FollowOptions = {}): BackingPolicy {
  const { lock = true, dataFile = denyDataFile, encryption = {}, allow } = options;
  const follow: BackingPolicy = async (request) => {
    const path = backingPath(request);
    try {
      await allow?.(path);
      if (request.backingFormat === 'raw') return await openRawDisk(path, { lock });
      return await openQcow2(path, { lock, backing: follow, dataFile, encryption, chain: request.chain });
    } catch (error) {
      if (!CalveError.is(error, 'not-found')) throw error;
      throw new CalveError('not-found', `${request.imagePath}: its backing file is not at ${path}`, {
        cause: error,
        hint: rebaseHint(request, request.backingFormat ?? 'FORMAT', 'WHERE-IT-IS-NOW'),
        data: { imagePath: request.imagePath, backingFile: path },
      });
    }
  };
  return follow;
}

/**
 * The file that an image names as its backing file.
 * @throws CalveError `denied`, `unsupported` as `followBacking`
 */
export function backingPath(
  request: Pick<BackingRequest, 'imagePath' | 'backingFile' | 'backingFormat'>,
): string {
  const { imagePath, backingFile, backingFormat } = request;
  const name = JSON.stringify(backingFile);
  // As QEMU tells them apart: a colon ahead of any slash ends a protocol's name.
  const protocol = /^[^/:]*(?=:)/.exec(backingFile)?.[0];
  if (protocol !== undefined) {
    throw new CalveError('denied', `${imagePath}: expected a file as backing file, got ${name}`, {
      data: { imagePath, backingFile, protocol },
    });
  }
  if (backingFormat === undefined) {
    throw new CalveError('denied', `${imagePath}: the format of its backing file ${name} is not given`, {
      hint: rebaseHint(request, 'FORMAT', name),
      data: { imagePath, backingFile },
    });
  }
  if (backingFormat !== 'raw' && backingFormat !== 'qcow2') {
    throw new CalveError(
      'unsupported',
      `${imagePath}: expected a backing file of format qcow2 or raw, got ${JSON.stringify(backingFormat)}`,
      { data: { imagePath, backingFile, backingFormat } },
    );
  }
  return resolve(dirname(imagePath), backingFile);
}

function rebaseHint(request: Pick<BackingRequest, 'imagePath'>, format: string, path: string): string {
  return `qemu-img rebase -u -F ${format} -b ${path} ${request.imagePath}`;
}
