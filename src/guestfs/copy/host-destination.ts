import { basename, dirname } from 'node:path';
import { CalveError } from '../../errors/index.ts';
import { HostFolder, statFile } from '../../host/index.ts';
import type { CopiedSource } from './copied-source.ts';

/** Where on the host something is copied to. */
export interface HostDestination {
  /** Closed by whoever asked for it. */
  readonly folder: HostFolder;
  /** The name that the copy gets in the folder; null: its content goes into the folder. */
  readonly name: Buffer | null;
}

/**
 * Where a copy goes, as `cp` has it: into the path if that is a folder, else to that name in a folder that is there.
 *
 * @throws CalveError `not-found` when there is no such folder; `exists` when a directory would replace a file
 */
export function hostDestination(path: string, { name, isDirectory }: CopiedSource): HostDestination {
  const there = path === '' ? undefined : statFile(path);
  if (there?.kind === 'folder') return { folder: HostFolder.open(path), name };
  if (there !== undefined && isDirectory) {
    throw new CalveError('exists', `cannot copy a directory to ${path}: a file is called so`);
  }
  if (path === '' || (path.endsWith('/') && !isDirectory)) {
    throw new CalveError('not-found', `no folder is called ${path}`, { hint: `mkdir ${path}` });
  }
  const parent = dirname(path);
  if (statFile(parent)?.kind !== 'folder') {
    throw new CalveError('not-found', `cannot copy to ${path}: there is no folder ${parent}`, {
      hint: `mkdir -p ${parent}`,
    });
  }
  return { folder: HostFolder.open(parent), name: Buffer.from(basename(path)) };
}
