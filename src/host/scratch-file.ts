import { randomBytes } from 'node:crypto';
import { statfsSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemError } from '../errors/index.ts';
import type { HostFile } from './host-file.ts';
import { openFile } from './open-file.ts';

/**
 * A file for what may be lost, that nobody else can open: without a name, it is gone with the process however that ends.
 * @param folder where its storage is taken from (default $TMPDIR, or /var/tmp, which unlike /tmp lies on a disk)
 * @returns undefined when less than `room` bytes are free there
 * @throws CalveError `not-found` (no such folder), `denied`, `no-space`, `io`
 */
export async function openScratchFile(
  room: number,
  folder: string = scratchFolder(),
): Promise<HostFile | undefined> {
  if (freeBytes(folder) < room) return undefined;
  const path = join(folder, `calve-${randomBytes(8).toString('hex')}.tmp`);
  const file = await openFile(path, { create: true, mode: 0o600, durable: false });
  try {
    unlinkSync(path);
    return file;
  } catch (error) {
    await file.close();
    throw systemError(`cannot remove the name of ${path}`, error);
  }
}

function scratchFolder(): string {
  const { TMPDIR } = process.env;
  if (TMPDIR !== undefined && TMPDIR !== '') return TMPDIR;
  return process.platform === 'linux' ? '/var/tmp' : tmpdir();
}

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch (error) {
    throw systemError(`cannot ask how much is free in ${folder}`, error);
  }
}
