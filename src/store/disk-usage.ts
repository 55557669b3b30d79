import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, systemError } from '../errors/index.ts';

/** A file or folder and the storage that it takes, bytes. */
export interface Used {
  readonly path: string;
  readonly bytes: number;
}

/** Everything below a folder, and the folder, as `du` counts: a file with two names once. What goes away is left out. */
export function* diskUsage(folder: string, seen: Set<string> = new Set()): Generator<Used> {
  const stat = lstatIfThere(folder);
  if (stat === undefined) return;
  yield { path: folder, bytes: stat.blocks * 512 };
  for (const entry of listIfThere(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* diskUsage(path, seen);
      continue;
    }
    const file = lstatIfThere(path);
    if (file === undefined) continue;
    const identity = `${file.dev}:${file.ino}`;
    if (file.nlink > 1 && seen.has(identity)) continue;
    seen.add(identity);
    yield { path, bytes: file.blocks * 512 };
  }
}

function lstatIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw systemError(`cannot stat ${path}`, error);
  }
}

function listIfThere(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw systemError(`cannot list ${path}`, error);
  }
}
