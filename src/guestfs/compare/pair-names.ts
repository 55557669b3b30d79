import type { DirectoryEntry, FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';

/** A name that one of two directories has, or both. */
export interface NamePair {
  /** With a byte a character. */
  readonly name: string;
  /** The inode's number; undefined: the directory has no such name. */
  readonly before: number | undefined;
  readonly after: number | undefined;
}

/** A directory of a tree. */
export interface DirectoryOf {
  readonly tree: FileTree;
  readonly directory: Inode;
}

/** Bytes of a directory whose names are held at one time: some 100 bytes of memory for each 24 of them. */
const HELD = 8 << 20;

/**
 * The names of two directories, by their bytes, each once with what it leads to. Of directories that are larger than
 * memory should hold, a share of the names comes after the other: then each share is in order.
 *
 * @param options.unchanged both are the same directory: `after` alone is listed, and `before` need not be handed over
 */
export async function* pairNames(
  before: DirectoryOf | undefined,
  after: DirectoryOf | undefined,
  options: { readonly unchanged: boolean },
): AsyncGenerator<NamePair> {
  const size = Math.max(before?.directory.size ?? 0, after?.directory.size ?? 0);
  const shares = Math.max(1, Math.ceil(size / HELD));
  for (let share = 0; share < shares; share += 1) {
    const now = await numbersOf(after, share, shares);
    const old = options.unchanged ? now : await numbersOf(before, share, shares);
    const names = [...now.keys()];
    if (old !== now) for (const name of old.keys()) if (!now.has(name)) names.push(name);
    for (const name of names.sort()) yield { name, before: old.get(name), after: now.get(name) };
  }
}

/** What a share of a directory's names lead to. */
async function numbersOf(
  of: DirectoryOf | undefined,
  share: number,
  shares: number,
): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  if (of === undefined) return numbers;
  for await (const entry of of.tree.list(of.directory)) {
    if (shares > 1 && shareOf(entry, shares) !== share) continue;
    numbers.set(entry.name.toString('latin1'), entry.inode);
  }
  return numbers;
}

/** The same for the same name, on both sides (FNV-1a). */
function shareOf({ name }: DirectoryEntry, shares: number): number {
  let hash = 0x811c9dc5;
  for (const byte of name) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % shares;
}
