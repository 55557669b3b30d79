import { randomBytes } from 'node:crypto';
import { CalveError, errnoOf, firstError } from '../../errors/index.ts';
import type { HostFolder } from '../../host/index.ts';
import { checkPathLength } from '../check-path-length.ts';
import type { DirectoryEntry, FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { printablePath } from '../printable-path.ts';
import { sortedEntries } from '../sorted-entries.ts';
import { copyContent, PIECE } from './copy-content.ts';
import { type CopyOptions, type CopyReport, emptyReport, noteFailed, noteSkipped } from './copy-report.ts';
import { HardLinks } from './hard-links.ts';
import { attributeFile, attributeFolder, attributeSymlink } from './host-attributes.ts';
import type { HostDestination } from './host-destination.ts';

/** Linux lets no path have more names; each level of the copy keeps a folder open. */
const MOST_DEPTH = 2048;
const SLASH = Buffer.from('/');

/** A directory that is being copied. */
interface Level {
  /** From what is copied on. */
  readonly path: Buffer;
  readonly source: Inode;
  readonly folder: HostFolder;
  /** Made by this copy: nobody else has names in it, and it gets the attributes of its source. */
  readonly isOurs: boolean;
  readonly entries: AsyncGenerator<DirectoryEntry>;
}

/**
 * Copies a file or a tree out of a guest. What has the same name is replaced, a directory is merged with one, and such
 * a one keeps its mode, owner and times. A new tree appears under its name when it is whole.
 *
 * Names and symlinks of the guest are hostile: all is done within folders that this copy made or that the user named,
 * held open, and no symlink is followed in them.
 *
 * What a file system inside the disk does not give away, or the host's does not take under this name, is told in the
 * report, and the rest is copied.
 *
 * @throws CalveError `no-space`, `denied`, `io` of the host: what was made under a new name is gone then; `aborted`
 */
export async function copyOut(
  tree: FileTree,
  source: Inode,
  destination: HostDestination,
  options: CopyOptions = {},
): Promise<CopyReport> {
  const copy = new OutCopy(tree, options);
  await copy.run(source, destination);
  return copy.report;
}

class OutCopy {
  readonly report: CopyReport = emptyReport();
  readonly #tree: FileTree;
  readonly #options: CopyOptions;
  readonly #links = new HardLinks();
  readonly #buffer = Buffer.allocUnsafe(PIECE);
  #done = 0;

  constructor(tree: FileTree, options: CopyOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  async run(source: Inode, { folder, name }: HostDestination): Promise<void> {
    if (source.type !== 'directory') {
      if (name === null) throw new TypeError('only a directory has content to copy by itself');
      const level = { path: Buffer.alloc(0), source, folder, isOurs: false, entries: nothing() };
      await this.#copyFile([level], name, source);
      return;
    }
    this.report.directories += 1;
    if (name === null) return this.#copyTree(source, folder, false);
    if (folder.stat(name)?.isDirectory() === true) {
      using there = folder.openFolder(name);
      return this.#copyTree(source, there, false);
    }
    if (folder.stat(name) !== undefined) throw isInTheWay(folder, name);
    const staged = temporaryName();
    try {
      using made = folder.makeFolder(staged);
      await this.#copyTree(source, made, true);
      folder.rename(staged, name);
    } catch (error) {
      folder.removeTree(staged);
      throw error;
    }
  }

  async #copyTree(source: Inode, folder: HostFolder, isOurs: boolean): Promise<void> {
    const seen = new Set([source.number]);
    const top: Level = { path: Buffer.alloc(0), source, folder, isOurs, entries: this.#entries(source) };
    const way = [top];
    try {
      for (let here = way.at(-1); here !== undefined; here = way.at(-1)) {
        if (this.#options.signal?.aborted === true) throw new CalveError('aborted', 'the copy was ended');
        const entry = await this.#next(here);
        if (entry === undefined) {
          if (here.isOurs) await this.#finish(here);
          if (here !== top) here.folder.close();
          way.pop();
          continue;
        }
        await this.#going(pathIn(here, entry.name), async () => {
          const inode = await this.#tree.stat(entry.inode);
          if (inode.type !== 'directory') return this.#copyFile(way, entry.name, inode);
          if (seen.has(inode.number)) {
            throw new CalveError(
              'corrupt',
              `directory ${inode.number} has several names, as no directory may`,
            );
          }
          if (way.length === MOST_DEPTH) {
            throw new CalveError('unsupported', `directories lie deeper than ${MOST_DEPTH}`);
          }
          checkPathLength(here.path.length + 1 + entry.name.length);
          seen.add(inode.number);
          way.push(this.#enter(here, entry.name, inode));
          this.report.directories += 1;
        });
      }
    } finally {
      for (const { folder: open } of way.slice(1)) open.close();
    }
  }

  #enter(above: Level, name: Buffer, source: Inode): Level {
    const there = above.folder.stat(name);
    if (there !== undefined && !there.isDirectory()) throw isInTheWay(above.folder, name);
    const isOurs = there === undefined;
    const folder = isOurs ? above.folder.makeFolder(name) : above.folder.openFolder(name);
    return { path: pathIn(above, name), source, folder, isOurs, entries: this.#entries(source) };
  }

  /** Its attributes are the last that is done to a folder. */
  async #finish({ path, source, folder }: Level): Promise<void> {
    await this.#going(path, async () => {
      this.report.lostAttributes += attributeFolder(folder, source, await this.#tree.xattrs(source));
    });
  }

  /** A directory that cannot be read to its end is left with what was. */
  async #next(level: Level): Promise<DirectoryEntry | undefined> {
    let entry: DirectoryEntry | undefined;
    await this.#going(level.path, async () => {
      const next = await level.entries.next();
      entry = next.done === true ? undefined : next.value;
    });
    return entry;
  }

  async #copyFile(way: readonly Level[], name: Buffer, inode: Inode): Promise<void> {
    const here = way.at(-1);
    if (here === undefined) throw new TypeError('a file lies in a directory');
    const { report } = this;
    const place = (make: Make): Promise<void> => placeIn(here, name, make);
    if (inode.type === 'symlink') {
      const target = await this.#tree.readLink(inode);
      await place(async (folder, as) => {
        folder.makeSymlink(as, target);
        attributeSymlink(folder, as, inode);
      });
      report.symlinks += 1;
    } else if (inode.type === 'file') {
      const top = way[0];
      if (here.isOurs && top !== undefined && this.#links.link(inode, top.folder, here.folder, name)) {
        report.files += 1;
        return;
      }
      await place((folder, as) => this.#makeFile(folder, as, inode));
      report.files += 1;
      report.bytes += inode.size;
      if (inode.links > 1) this.#links.note(inode, [...namesOf(here.path), name]);
    } else if (inode.type === 'fifo') {
      await place(async (folder, as) => {
        folder.makeFifo(as, inode.mode & 0o777);
        attributeSymlink(folder, as, inode);
      });
      report.files += 1;
    } else noteSkipped(report, pathIn(here, name), inode.type);
  }

  async #makeFile(folder: HostFolder, name: Buffer, inode: Inode): Promise<void> {
    await using target = folder.createFile(name);
    const { signal, onProgress } = this.#options;
    const onStep = (bytes: number): void => {
      this.#done += bytes;
      onProgress?.(this.#done);
    };
    await copyContent({ tree: this.#tree, inode, target, buffer: this.#buffer, signal, onStep });
    const attributes = await this.#tree.xattrs(inode);
    this.report.lostAttributes += attributeFile(folder, name, target, inode, attributes);
  }

  /** Names in the order of their inodes, which lie beside each other on the disk so. */
  #entries(directory: Inode): AsyncGenerator<DirectoryEntry> {
    return sortedEntries(this.#tree.list(directory), (a, b) => a.inode - b.inode);
  }

  /** Does something for one path; where that alone is at fault it is noted, and the copy goes on. */
  async #going(path: Buffer, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (thrown) {
      const error = firstError(thrown);
      if (!(error instanceof CalveError) || !isOfOneFile(error)) throw thrown;
      noteFailed(this.report, path, error);
    }
  }
}

type Make = (folder: HostFolder, name: Buffer) => Promise<void>;

/** Makes what is to have a name there: at once in a folder of ours, else beside it first, so that it is replaced whole. */
async function placeIn({ folder, isOurs }: Level, name: Buffer, make: Make): Promise<void> {
  if (isOurs && folder.stat(name) === undefined) {
    await makeWhole(folder, name, make);
    return;
  }
  if (folder.stat(name)?.isDirectory() === true) throw isInTheWay(folder, name);
  const beside = temporaryName();
  await makeWhole(folder, beside, make);
  try {
    folder.rename(beside, name);
  } catch (error) {
    folder.removeTree(beside);
    throw error;
  }
}

async function makeWhole(folder: HostFolder, name: Buffer, make: Make): Promise<void> {
  try {
    await make(folder, name);
  } catch (error) {
    // Somebody else's, should it be there all of a sudden.
    if (!CalveError.is(error, 'exists')) folder.removeTree(name);
    throw error;
  }
}

function temporaryName(): Buffer {
  return Buffer.from(`.calve-${randomBytes(8).toString('hex')}`);
}

function isInTheWay(folder: HostFolder, name: Buffer): CalveError {
  return new CalveError(
    'exists',
    `${folder.path}/${printablePath(name)}: a directory does not replace anything else, nor is it replaced`,
  );
}

/** What the host's file systems say of a name, a length or a kind of file that they do not have. */
const ERRNOS_OF_ONE_FILE = ['ENAMETOOLONG', 'EILSEQ', 'EINVAL', 'EFBIG', 'ELOOP', 'ENOTSUP'];

function isOfOneFile(error: CalveError): boolean {
  return (
    ['corrupt', 'unsupported', 'invalid', 'not-found', 'exists', 'denied', 'out-of-range'].includes(
      error.code,
    ) || ERRNOS_OF_ONE_FILE.includes(errnoOf(error) ?? '')
  );
}

function pathIn(level: Pick<Level, 'path'>, name: Buffer): Buffer {
  return level.path.length === 0 ? name : Buffer.concat([level.path, SLASH, name]);
}

function namesOf(path: Buffer): Buffer[] {
  if (path.length === 0) return [];
  return path
    .toString('latin1')
    .split('/')
    .map((name) => Buffer.from(name, 'latin1'));
}

async function* nothing(): AsyncGenerator<DirectoryEntry> {}
