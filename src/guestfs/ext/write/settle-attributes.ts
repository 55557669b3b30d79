import { CalveError } from '../../../errors/index.ts';
import type { HostFile } from '../../../host/index.ts';
import { printablePath } from '../../printable-path.ts';
import type { FileAttributes } from '../../tree-change.ts';
import type { ExtTree } from '../ext-tree.ts';
import { hasLineEnd } from './debugfs-session.ts';
import type { ExtScratch } from './ext-scratch.ts';
import { type InodePatch, patchInode } from './patch-inode.ts';
import type { Created } from './verify-created.ts';

/** A directory whose attributes are the last that is written; undefined: it is only changed now. */
export interface ChangedDirectory {
  /** With a byte a character; the text is shared with what else knows it, for there may be very many. */
  readonly path: string;
  readonly attributes: FileAttributes | undefined;
}

/** A target that debugfs can be told: the same bytes but for line ends. */
export function standInTarget(target: Buffer): Buffer {
  return Buffer.from(target.map((byte) => (byte === 0x0a || byte === 0x0d ? 0x20 : byte)));
}

/**
 * Writes attributes into the inodes of what debugfs made. It would take ten commands each, and debugfs does not tell
 * which of them failed.
 *
 * @param directories the inodes of directories by path; those that were made are added
 * @returns the inode of each
 */
export async function settleAttributes(
  scratch: ExtScratch,
  created: readonly Created[],
  directories: Map<string, number>,
): Promise<number[]> {
  const byDirectory = new Map<string, number[]>();
  for (const [at, { directory }] of created.entries()) {
    const those = byDirectory.get(directory);
    if (those === undefined) byDirectory.set(directory, [at]);
    else those.push(at);
  }
  const numbers = new Array<number>(created.length);
  await scratch.reading(async (tree) => {
    // Directories come before what is in them, here too.
    for (const [directory, those] of byDirectory) {
      const names = await namesIn(tree, directories.get(directory));
      for (const at of those) {
        const each = created[at];
        const number = each && names.get(each.as.toString('latin1'));
        if (each === undefined || number === undefined) throw notMade(each?.change.path);
        numbers[at] = number;
        if (each.change.kind === 'directory') directories.set(each.change.path.toString('latin1'), number);
      }
    }
  });
  const ctime = now();
  await patchAll(scratch, created.entries(), ([at, { change }]) => {
    if (change.kind === 'directory') return undefined;
    const { mode, ...rest } = change.attributes;
    const number = numbers[at] ?? 0;
    if (change.kind === 'file') return { number, patch: { mode, ...rest, ctime } };
    const target = hasLineEnd(change.target) ? { target: change.target } : {};
    return { number, patch: { ...rest, ctime, ...target } };
  });
  return numbers;
}

/** Writes the attributes of directories, and reads them again. */
export async function settleDirectories(
  scratch: ExtScratch,
  changed: ReadonlyMap<number, ChangedDirectory>,
): Promise<void> {
  const ctime = now();
  await patchAll(scratch, changed, ([number, { attributes }]) => ({
    number,
    patch: { ...(attributes ?? { mtime: ctime }), ctime },
  }));
  await scratch.reading(async (tree) => {
    for (const [number, { path, attributes }] of changed) {
      const inode = await tree.stat(number);
      const isRight =
        inode.type === 'directory' &&
        (attributes === undefined ||
          (inode.mode === attributes.mode && inode.uid === attributes.uid && inode.gid === attributes.gid));
      if (!isRight) throw notMade(Buffer.from(path, 'latin1'));
    }
  });
}

/** Of files that got further names, or lost some. */
export async function settleLinks(scratch: ExtScratch, links: ReadonlyMap<number, number>): Promise<void> {
  const ctime = now();
  await patchAll(scratch, links, ([number, left]) => ({ number, patch: { links: left, ctime } }));
}

async function patchAll<Item>(
  scratch: ExtScratch,
  items: Iterable<Item>,
  patchOf: (item: Item) => { readonly number: number; readonly patch: InodePatch } | undefined,
): Promise<void> {
  const { superblock } = scratch;
  await using view = await scratch.open();
  await scratch.writing(async (file) => {
    for (const item of items) {
      const due = patchOf(item);
      if (due === undefined) continue;
      const { bytes, offset } = await inodeBytes(view.tree, file, due.number);
      patchInode(superblock, due.number, bytes, due.patch);
      file.writeSync(bytes, offset);
    }
  });
}

async function inodeBytes(
  tree: ExtTree,
  file: HostFile,
  number: number,
): Promise<{ readonly bytes: Buffer; readonly offset: number }> {
  const { offset, length } = await tree.inodeRange(number);
  const bytes = Buffer.alloc(length);
  file.readSync(bytes, offset);
  return { bytes, offset };
}

/** The inodes of the names in a directory, with a byte a character. */
export async function namesIn(tree: ExtTree, directory: number | undefined): Promise<Map<string, number>> {
  if (directory === undefined) throw new TypeError('a directory is known before what is in it');
  const names = new Map<string, number>();
  for await (const { name, inode } of tree.list(await tree.stat(directory))) {
    names.set(name.toString('latin1'), inode);
  }
  return names;
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

function notMade(path: Buffer | undefined): CalveError {
  return new CalveError(
    'io',
    `${printablePath(path ?? Buffer.alloc(0))}: debugfs did not write it as it was to be`,
  );
}
