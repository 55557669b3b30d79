import { randomBytes } from 'node:crypto';
import { link, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { openRawDisk, type WritableDisk } from '../disk/index.ts';
import { CalveError, systemError } from '../errors/index.ts';
import { openFile, statFile, syncFolder } from '../host/index.ts';
import { copyDisk } from '../img/index.ts';
import { createQcow2, denyBacking, openQcow2 } from '../qcow2/index.ts';
import type { StoreContext } from './context.ts';
import { isNbd } from './is-nbd.ts';
import { openTarget } from './open-target.ts';
import type { ExportOptions } from './options.ts';
import { verifyChain } from './protection.ts';

/**
 * Writes a disk as one flat file. It is written beside its place under a name of its own, and put there when it is
 * whole and durable; on an error nothing is left.
 */
export async function exportDisk(
  context: StoreContext,
  target: string,
  file: string,
  options: ExportOptions,
): Promise<void> {
  const { format = 'qcow2', force = false, signal, onProgress } = options;
  if (await isNbd(file)) {
    const { exportToNbd } = await import('./export-nbd.ts');
    return exportToNbd(context, target, file, { format: options.format, signal, onProgress });
  }
  const path = resolve(file);
  if (!force) refuseToReplace(path);
  const { disk: source, layers } = await openTarget(context, target, { signal, onProgress });
  await using _source = source;
  const staged = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
  try {
    await using disk = await createFlat(staged, format, source.size);
    await copyDisk(source, disk, {
      targetIsZero: true,
      ...(signal === undefined ? {} : { signal }),
      onProgress: (done, total) => onProgress?.({ phase: 'writing', done, total }),
    });
    await disk.close();
    await makeDurable(staged);
    // Whoever writes into a layer while it is read must not have it exported.
    await verifyChain(context, layers, { signal, onProgress });
    await putInPlace(staged, path, force);
  } catch (error) {
    throw systemError(`cannot export ${path}`, error);
  } finally {
    await rm(staged, { force: true });
  }
}

async function createFlat(path: string, format: 'raw' | 'qcow2', size: number): Promise<WritableDisk> {
  if (format === 'qcow2') {
    await createQcow2(path, { size, sync: false });
    return openQcow2(path, { writable: true, backing: denyBacking });
  }
  const file = await openFile(path, { create: true });
  await file.truncate(size);
  return openRawDisk(file);
}

async function makeDurable(path: string): Promise<void> {
  await using file = await openFile(path, { writable: true });
  await file.sync();
}

/** A link is refused where a file came meanwhile; a rename would replace it. */
async function putInPlace(staged: string, path: string, force: boolean): Promise<void> {
  try {
    await (force ? rename(staged, path) : link(staged, path));
  } catch (error) {
    throw systemError(`cannot put the export at ${path}`, error);
  }
  await syncFolder(dirname(path));
}

function refuseToReplace(path: string): void {
  if (statFile(path) === undefined) return;
  throw new CalveError('exists', `${path} exists already`, { hint: 'calve export --force replaces it' });
}
