import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { CalveError, systemError } from '../../errors/index.ts';
import type { ExtendedAttribute, FileTree } from '../file-tree.ts';
import { foldName } from '../fold-name.ts';
import type { Inode, InodeType } from '../inode.ts';
import { printablePath } from '../printable-path.ts';
import type { FileAttributes, TreeChange } from '../tree-change.ts';
import { lastName } from './copied-source.ts';
import { type CopyReport, noteSkipped } from './copy-report.ts';
import { HostSource } from './host-source.ts';
import { realPath } from './real-path.ts';
import { keptAttributes, sourceAttributes } from './source-attributes.ts';
import { SourceLinks } from './source-links.ts';

const SLASH = Buffer.from('/');
/** setuid and setgid mean nothing once the owner is another. */
const SET_IDS = 0o6000;

/** What is copied into a guest. */
export interface InwardCopy {
  readonly tree: FileTree;
  /** On the host. */
  readonly sources: readonly string[];
  /** In the guest. */
  readonly destination: string;
  readonly signal?: AbortSignal | undefined;
  /** Filled as the changes are made. */
  readonly report: CopyReport;
}

interface Work extends InwardCopy {
  readonly links: SourceLinks;
}

/** A directory of the host that is being copied. */
interface Level {
  readonly from: Buffer;
  /** In the guest, without a slash before it. */
  readonly to: Buffer;
  /** What is there; null: it is made by this copy. */
  readonly inode: Inode | null;
}

/**
 * The changes that copy files and trees of the host into a guest, as `cp` would: into the destination if that is a
 * directory, else to that name. What has the same name is replaced: a file keeps its mode and owner, a directory is
 * merged with one, which stays as it is otherwise. Symlinks of the host are copied as such, and files with several names
 * once, where the guest's file system has links.
 *
 * All names in a directory come before those in the directories below it.
 *
 * @throws CalveError `not-found`; `exists` when a directory and something else have one name; `denied`, `io`
 */
export async function* changesIn(inward: InwardCopy): AsyncGenerator<TreeChange> {
  const copy: Work = { ...inward, links: new SourceLinks(inward.tree.kind) };
  for (const source of copy.sources) {
    const path = Buffer.from(source);
    const name = lastName(path);
    // What ends with a slash, or names the content of a folder, is followed.
    const stats = status(path, name === null || source.endsWith('/'));
    const place = await placeFor(copy, name, stats.isDirectory());
    if (place.name === null) {
      yield* below(copy, { from: path, to: place.path, inode: place.inode });
      continue;
    }
    const entry = { from: path, stats, name: place.name };
    const level = { from: path, to: place.path, inode: place.inode };
    const found = await existing(copy.tree, place.inode);
    const next = yield* one(copy, level, entry, found);
    if (next !== undefined) yield* below(copy, next);
  }
}

interface Place {
  /** A directory that is there. */
  readonly path: Buffer;
  readonly inode: Inode;
  /** The name that it gets there; null: its content goes there. */
  readonly name: Buffer | null;
}

async function placeFor(
  { tree, destination, sources }: InwardCopy,
  name: Buffer | null,
  isDirectory: boolean,
): Promise<Place> {
  const whole = Buffer.from(destination);
  try {
    const { path, inode } = await realPath(tree, whole);
    if (inode.type === 'directory') return { path, inode, name };
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
  }
  const last = lastName(whole);
  const mayBeNew = sources.length === 1 && (isDirectory || !destination.endsWith('/'));
  const parent = whole.subarray(0, whole.toString('latin1').replace(/\/+$/, '').lastIndexOf('/') + 1);
  if (last !== null && mayBeNew) {
    const { path, inode } = await realPath(tree, parent);
    if (inode.type === 'directory') return { path, inode, name: last };
  }
  throw new CalveError('not-found', `${printablePath(whole)}: no such directory in the guest`);
}

/** What is in a folder of the host, and all below it. */
async function* below(copy: Work, top: Level): AsyncGenerator<TreeChange> {
  const left = [top];
  for (let level = left.pop(); level !== undefined; level = left.pop()) {
    const found = await existing(copy.tree, level.inode);
    const further: Level[] = [];
    for (const name of namesIn(level.from)) {
      if (copy.signal?.aborted === true) throw new CalveError('aborted', 'the copy was ended');
      const from = Buffer.concat([level.from, SLASH, name]);
      const next = yield* one(copy, level, { from, name, stats: status(from, false) }, found);
      if (next !== undefined) further.push(next);
    }
    left.push(...further.reverse());
  }
}

interface Entry {
  readonly from: Buffer;
  readonly name: Buffer;
  readonly stats: BigIntStats;
}

/** The change for one name; a directory is returned, to be gone into. */
async function* one(
  { tree, report, links }: Work,
  level: Level,
  { from, name, stats }: Entry,
  found: ReadonlyMap<string, number>,
): AsyncGenerator<TreeChange, Level | undefined> {
  const path = level.to.length === 0 ? name : Buffer.concat([level.to, SLASH, name]);
  const number = found.get(keyOf(tree, name));
  const there = number === undefined ? null : await tree.stat(number);
  const type = typeOf(stats);
  if (type !== 'file' && type !== 'symlink' && type !== 'directory') {
    noteSkipped(report, from, type);
    return undefined;
  }
  if (there !== null && (there.type === 'directory') !== (type === 'directory')) {
    throw new CalveError(
      'exists',
      `cannot copy ${printablePath(from)} to /${printablePath(path)}: a ${there.type} is called so in the guest`,
    );
  }
  const attributes = attributesOf(stats);
  if (type === 'directory') {
    report.directories += 1;
    if (there === null)
      yield { kind: 'directory', path, attributes, xattrs: attributesFrom(from, tree, report) };
    return { from, to: path, inode: there };
  }
  const shared = type === 'file' ? links.note(stats) : undefined;
  const isLink = shared?.isFirst === false;
  if (there !== null && (type === 'symlink' || isLink || there.type !== 'file'))
    yield { kind: 'remove', path };
  if (type === 'symlink') {
    report.symlinks += 1;
    yield { kind: 'symlink', path, attributes, target: targetOf(from) };
    return undefined;
  }
  report.files += 1;
  if (isLink) {
    yield { kind: 'link', path, id: shared.id };
    return undefined;
  }
  report.bytes += Number(stats.size);
  const kept = there?.type === 'file' ? { mode: there.mode, uid: there.uid, gid: there.gid } : {};
  yield {
    kind: 'file',
    path,
    attributes: { ...attributes, ...kept },
    source: new HostSource(from, stats),
    xattrs: there?.type === 'file' ? await keptAttributes(tree, there) : attributesFrom(from, tree, report),
    ...(shared === undefined ? {} : { id: shared.id }),
  };
  return undefined;
}

/** Of a file of the host; what they or the guest's file system has no form for is counted. */
function attributesFrom(path: Buffer, tree: FileTree, report: CopyReport): readonly ExtendedAttribute[] {
  const { xattrs, lost } = sourceAttributes(path);
  const hasNone = tree.kind === 'fat';
  report.lostAttributes += lost + (hasNone ? xattrs.length : 0);
  return hasNone ? [] : xattrs;
}

/** The inodes of the names in a directory. */
async function existing(tree: FileTree, directory: Inode | null): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  if (directory === null) return found;
  for await (const { name, inode } of tree.list(directory)) found.set(keyOf(tree, name), inode);
  return found;
}

/** A name as the guest's file system compares it. */
function keyOf(tree: FileTree, name: Buffer): string {
  return tree.kind === 'fat' ? foldName(name) : name.toString('latin1');
}

/** Numbers of owners are kept by root; what anybody else copies is the guest's root's. */
function attributesOf(stats: BigIntStats): FileAttributes {
  const isRoot = process.geteuid?.() === 0;
  const mode = Number(stats.mode & 0o7777n);
  return {
    mode: isRoot ? mode : mode & ~SET_IDS,
    uid: isRoot ? Number(stats.uid) : 0,
    gid: isRoot ? Number(stats.gid) : 0,
    atime: stats.atimeNs,
    mtime: stats.mtimeNs,
  };
}

function typeOf(stats: BigIntStats): InodeType {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block-device' : 'character-device';
}

function status(path: Buffer, follow: boolean): BigIntStats {
  return attempt('stat', path, () =>
    follow ? statSync(path, { bigint: true }) : lstatSync(path, { bigint: true }),
  );
}

function namesIn(folder: Buffer): Buffer[] {
  return attempt('list', folder, () => readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare));
}

function targetOf(path: Buffer): Buffer {
  return attempt('read', path, () => readlinkSync(path, { encoding: 'buffer' }));
}

function attempt<T>(verb: string, path: Buffer, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw systemError(`cannot ${verb} ${printablePath(path)}`, error);
  }
}
