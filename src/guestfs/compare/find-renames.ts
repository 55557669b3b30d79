import { createHash } from 'node:crypto';
import type { FileTree } from '../file-tree.ts';
import { compareInodes } from './compare-inodes.ts';
import type { FileChange, FileFacts } from './file-change.ts';
import type { TreePair } from './tree-pair.ts';

/** Changes that are held to look for renames among them; of more, all are told as they come. */
const MOST_HELD = 100_000;
/** Bytes of a file that are hashed first: few files of one size begin alike. */
const BEGINNING = 4096;
const PIECE = 256 * 1024;

/** What is the same for files that may be one; undefined: nothing is. */
type KeyOf = (change: FileChange) => string | undefined;

type Match = { readonly from: FileChange; readonly to: FileChange };

/**
 * Changes with what was deleted in one place and added in another as one: `renamed`. That is the same inode, or a file of the
 * same content. What lies in a renamed directory moved along: it is told only if it was modified, too.
 *
 * Files are read only where a deleted and an added one have the same size. Of more than 100,000 changes none is held
 * back: they are told as deleted and added.
 */
export async function* findRenames(
  trees: TreePair,
  changes: AsyncIterable<FileChange>,
  signal?: AbortSignal,
): AsyncGenerator<FileChange> {
  let held: FileChange[] | undefined = [];
  for await (const change of changes) {
    if (held === undefined) {
      yield change;
      continue;
    }
    held.push(change);
    if (held.length < MOST_HELD) continue;
    yield* held;
    held = undefined;
  }
  if (held !== undefined) yield* renamed(trees, held, signal);
}

async function* renamed(
  trees: TreePair,
  changes: readonly FileChange[],
  signal: AbortSignal | undefined,
): AsyncGenerator<FileChange> {
  const deleted = new Set(changes.filter(({ kind }) => kind === 'deleted'));
  const added = new Set(changes.filter(({ kind }) => kind === 'added'));
  const origins = new Map<FileChange, FileChange>();
  const take = ({ from, to }: Match): void => {
    deleted.delete(from);
    added.delete(to);
    origins.set(to, from);
  };
  const named = (key: KeyOf): KeyOf => {
    return (change) => (key(change) === undefined ? undefined : `${key(change)} ${lastName(change)}`);
  };
  // What kept its name first: of one inode, or one content, there may be several.
  if (trees.sameNumbers) {
    for (const match of matches(deleted, added, named(inodeKey))) take(match);
    for (const match of matches(deleted, added, inodeKey)) take(match);
  }
  const hashes = await contentKeys(trees, deleted, added, signal);
  const hashOf: KeyOf = (change) => hashes.get(change);
  for (const match of matches(deleted, added, named(hashOf))) take(match);
  for (const match of matches(deleted, added, hashOf)) take(match);
  const gone = new Set(origins.values());
  /** Where each renamed directory was. */
  const moved = new Map<string, string>();
  for (const change of changes) {
    if (gone.has(change)) continue;
    const from = origins.get(change);
    if (from === undefined) {
      yield change;
      continue;
    }
    signal?.throwIfAborted();
    const aspects = await aspectsOf(trees, from, change, { signal, sameContent: hashes.has(change) });
    if (change.after?.type === 'directory') moved.set(textOf(change.path), textOf(from.path));
    const both = { path: change.path, oldPath: from.path, before: from.before, after: change.after, aspects };
    if (!movedAlong(moved, from, change)) yield { ...both, kind: 'renamed' };
    else if (aspects.length > 0) yield { ...both, kind: 'modified' };
  }
}

/** Pairs of one key, in order. */
function matches(deleted: Iterable<FileChange>, added: Iterable<FileChange>, keyOf: KeyOf): Match[] {
  const waiting = new Map<string, FileChange[]>();
  for (const from of deleted) {
    const key = keyOf(from);
    if (key === undefined) continue;
    const others = waiting.get(key);
    if (others === undefined) waiting.set(key, [from]);
    else others.push(from);
  }
  for (const others of waiting.values()) others.reverse();
  const found: Match[] = [];
  for (const to of added) {
    const key = keyOf(to);
    const from = key === undefined ? undefined : waiting.get(key)?.pop();
    if (from !== undefined) found.push({ from, to });
  }
  return found;
}

/**
 * What is the same only for one and the same inode: numbers are given out again, but then with another generation or
 * time of making. Where a file system keeps neither, size and time of modification must do.
 */
function inodeKey(change: FileChange): string | undefined {
  const facts = factsIn(change);
  const { number, type, generation, crtime, size, mtime } = facts;
  const sure = generation !== 0 || (type === 'directory' && crtime !== null) ? '' : `${size} ${mtime}`;
  return `${number} ${type} ${generation} ${crtime} ${sure}`;
}

/** A hash of each file that has the size of one on the other side; of those that begin alike, of all their bytes. */
async function contentKeys(
  trees: TreePair,
  deleted: Iterable<FileChange>,
  added: Iterable<FileChange>,
  signal: AbortSignal | undefined,
): Promise<Map<FileChange, string>> {
  const sizes = onBothSides(deleted, added, (change) => sizeKey(factsIn(change)));
  const beginnings = new Map<FileChange, string>();
  for (const change of sizes) {
    beginnings.set(change, `${factsIn(change).size} ${await hashBytes(trees, change, BEGINNING, signal)}`);
  }
  const alike = onBothSides(
    sizes.filter(({ kind }) => kind === 'deleted'),
    sizes.filter(({ kind }) => kind === 'added'),
    (change) => beginnings.get(change),
  );
  const whole = new Map<FileChange, string>();
  for (const change of alike) {
    const { size } = factsIn(change);
    whole.set(
      change,
      size <= BEGINNING ? (beginnings.get(change) ?? '') : await hashBytes(trees, change, size, signal),
    );
  }
  return whole;
}

/** Empty files are all the same, and so no sign of anything. */
function sizeKey({ type, size }: FileFacts): string | undefined {
  return type === 'file' && size > 0 ? String(size) : undefined;
}

function onBothSides(deleted: Iterable<FileChange>, added: Iterable<FileChange>, keyOf: KeyOf): FileChange[] {
  const [old, now] = [new Set([...deleted].map(keyOf)), new Set([...added].map(keyOf))];
  return [...deleted, ...added].filter((change) => {
    const key = keyOf(change);
    return key !== undefined && old.has(key) && now.has(key);
  });
}

async function hashBytes(
  trees: TreePair,
  change: FileChange,
  length: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  const tree = treeOf(trees, change);
  const inode = await tree.stat(factsIn(change).number);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(PIECE, length, inode.size));
  for (let at = 0; at < Math.min(length, inode.size); ) {
    signal?.throwIfAborted();
    const read = await tree.read(inode, at, buffer);
    hash.update(buffer.subarray(0, Math.min(read, length - at)));
    at += read;
  }
  return hash.digest('hex');
}

function treeOf(trees: TreePair, { kind }: FileChange): FileTree {
  return kind === 'deleted' ? trees.before : trees.after;
}

async function aspectsOf(
  trees: TreePair,
  from: FileChange,
  to: FileChange,
  options: { readonly signal: AbortSignal | undefined; readonly sameContent: boolean },
): Promise<FileChange['aspects']> {
  const old = await trees.before.stat(factsIn(from).number);
  return compareInodes(trees, old, await trees.after.stat(factsIn(to).number), options);
}

/** Whether a file is where it was in a directory that was renamed. */
function movedAlong(moved: ReadonlyMap<string, string>, from: FileChange, to: FileChange): boolean {
  return lastName(from) === lastName(to) && moved.get(parentOf(to)) === parentOf(from);
}

/** Of what was only added or only deleted. */
function factsIn({ before, after }: FileChange): FileFacts {
  return (after ?? before) as FileFacts;
}

function lastName({ path }: FileChange): string {
  const text = textOf(path);
  return text.slice(text.lastIndexOf('/') + 1);
}

function parentOf({ path }: FileChange): string {
  const text = textOf(path);
  return text.slice(0, Math.max(0, text.lastIndexOf('/')));
}

function textOf(path: Buffer): string {
  return path.toString('latin1');
}
