import { statSync } from 'node:fs';
import { openRawDisk, type RawDisk } from '../../../disk/index.ts';
import { CalveError, errnoOf } from '../../../errors/index.ts';
import { lockImage, openFile } from '../../../host/index.ts';
import { imgError } from '../img-error.ts';
import { errnoText } from '../printing/errno-text.ts';
import { type BlockNode, blockNode } from './block-node.ts';
import { foreignFormat } from './foreign-format.ts';
import { jsonName, protocolOf } from './node-name.ts';
import type { NodeRequest, OpenSettings } from './open-request.ts';
import { refuseUnknownOptions } from './refuse-unknown-options.ts';
import { sectorDisk } from './sector-disk.ts';
import { takeCommonOptions } from './take-common-options.ts';

/** A regular file, QEMU's driver `file`. */
export async function openHostFileNode(request: NodeRequest, settings: OpenSettings): Promise<BlockNode> {
  const { options } = request;
  const given = options.take('filename') ?? request.filename ?? '';
  const path = given.startsWith('file:') ? withoutProtocol(given.slice('file:'.length)) : given;
  const locking = options.take('locking') ?? 'auto';
  takeCommonOptions(options);
  for (const passed of PASSED_OVER) options.take(passed);
  refuseUnknownOptions(options, 'protocol', 'file');
  if (path === '') throw imgError("The 'file' block driver requires a file name");
  const isLocked = !settings.forceShare && locking !== 'off';
  const raw = await openFileDisk(path, settings, isLocked);
  return blockNode(
    {
      driver: 'file',
      disk: sectorDisk(raw),
      plainName: path,
      options: { driver: 'file', filename: path },
      hostFile: raw.file,
    },
    jsonName,
  );
}

/** What is left may look as if it began with a protocol itself. */
function withoutProtocol(path: string): string {
  return protocolOf(path) === undefined ? path : `./${path}`;
}

/** Options that change how QEMU reads and writes, and not what. */
const PASSED_OVER = ['aio', 'aio-max-batch', 'drop-cache', 'x-check-cache-dropped', 'pr-manager'];

/** @throws CalveError in qemu-img's words */
async function openFileDisk(
  path: string,
  { writable, isUnsafe }: OpenSettings,
  isLocked: boolean,
): Promise<RawDisk> {
  const file = await openFile(path, { writable, durable: !isUnsafe }).catch((error: unknown) => {
    throw notOpened(path, error);
  });
  try {
    if (isLocked) lockImage(file, writable ? 'write' : 'read');
  } catch (error) {
    await file.close();
    throw CalveError.is(error, 'in-use') ? inUse(path, writable, error) : error;
  }
  return openRawDisk(file, { writable, lock: false });
}

function notOpened(path: string, error: unknown): CalveError {
  if (CalveError.is(error, 'unsupported')) {
    const stat = statSync(path);
    if (stat.isBlockDevice() || stat.isCharacterDevice()) return foreignFormat('host_device');
    return imgError(`'file' driver requires '${path}' to be a regular file`, { cause: error });
  }
  const code = CalveError.is(error) ? error.code : 'io';
  const why = errnoText(errnoOf(error)) ?? String(error);
  return imgError(`Could not open '${path}': ${why}`, { code, cause: error });
}

/** What QEMU says of the permission that somebody else's lock is in the way of. */
function inUse(path: string, writable: boolean, cause: unknown): CalveError {
  return imgError(`Failed to get ${writable ? '' : 'shared '}"write" lock`, {
    code: 'in-use',
    more: `Is another process using the image [${path}]?`,
    cause,
  });
}
