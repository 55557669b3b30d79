import { CalveError } from '../../errors/index.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';

/**
 * The snapshot that is meant, as qemu-img finds it: `-a` and `-l` look for an id and then for a name; `-d` looks for a
 * name, and here for an id after that.
 * @throws CalveError `not-found`
 */
export function findSnapshot(
  path: string,
  entries: readonly SnapshotEntry[],
  idOrName: string,
  first: 'id' | 'name' = 'id',
): SnapshotEntry {
  const second = first === 'id' ? 'name' : 'id';
  const found =
    entries.find((entry) => entry[first] === idOrName) ?? entries.find((entry) => entry[second] === idOrName);
  if (found) return found;
  throw new CalveError('not-found', `${path} has no snapshot ${JSON.stringify(idOrName)}`, {
    hint: `qemu-img snapshot -l ${path}`,
    data: { path, snapshot: idOrName },
  });
}
