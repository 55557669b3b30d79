import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { sep } from 'node:path';
import { errnoOf, systemError } from '../errors/index.ts';

/** Told of a file or folder, and of the bytes of storage that it takes. */
type OnUsed = (path: string, bytes: number) => void;

/** Everything below a folder, and the folder, as `du` counts: a file with two names once. What goes away is left out. */
export function diskUsage(folder: string, onUsed: OnUsed): void {
  visit(folder, onUsed, new Set());
}

/** One status a file and one listing a folder: a store has thousands. */
function visit(path: string, onUsed: OnUsed, seen: Set<string>): void {
  const stat = lstatIfThere(path);
  if (stat === undefined) return;
  if (stat.isDirectory()) {
    onUsed(path, stat.blocks * 512);
    for (const name of listIfThere(path)) visit(`${path}${sep}${name}`, onUsed, seen);
    return;
  }
  if (stat.nlink > 1) {
    const identity = `${stat.dev}:${stat.ino}`;
    if (seen.has(identity)) return;
    seen.add(identity);
  }
  onUsed(path, stat.blocks * 512);
}

function lstatIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw systemError(`cannot stat ${path}`, error);
  }
}

function listIfThere(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw systemError(`cannot list ${path}`, error);
  }
}
