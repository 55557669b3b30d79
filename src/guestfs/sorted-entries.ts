import type { DirectoryEntry } from './file-tree.ts';

/** Directories with more names than this are told in the order in which their names lie there, to keep memory small. */
const MOST_SORTED = 200_000;

/** The names of a directory in an order, unless there are too many of them. */
export async function* sortedEntries(
  entries: AsyncIterable<DirectoryEntry>,
  compare: (a: DirectoryEntry, b: DirectoryEntry) => number,
): AsyncGenerator<DirectoryEntry> {
  const held: DirectoryEntry[] = [];
  let isLarge = false;
  for await (const entry of entries) {
    if (isLarge) {
      yield entry;
      continue;
    }
    held.push(entry);
    if (held.length <= MOST_SORTED) continue;
    isLarge = true;
    yield* held.splice(0);
  }
  yield* held.sort(compare);
}
