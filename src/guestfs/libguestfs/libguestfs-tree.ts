import { CalveError } from '../../errors/index.ts';
import { ACLS, storedAcl } from '../acl-attribute.ts';
import type { FileSystemKind } from '../file-system-kind.ts';
import type { DirectoryEntry, ExtendedAttribute, FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { printablePath } from '../printable-path.ts';
import { resolvePath } from '../resolve-path.ts';
import { attributeCounts } from './attribute-counts.ts';
import { type GuestStat, guestStat } from './guest-stat.ts';
import { InodeNumbers } from './inode-numbers.ts';
import { InodePlaces } from './inode-places.ts';
import { parseStructure, parseStructures, unexpected } from './parse-structures.ts';
import { canBeListed, inLines, quoted, quotedList } from './quoted.ts';
import { RecentFacts } from './recent-facts.ts';
import type { HeldAppliance } from './shared-appliance.ts';

/** Bytes of a file that are asked for at a time: libguestfs hands out no more than 4 MiB in a message. */
const PIECE = 2 << 20;
/** Bytes of the names of a directory, and how many there may be: all are held at once. */
const LARGEST_DIRECTORY = 16 << 20;
const MOST_NAMES = 500_000;
/** Of a list of structures; a line of names leads to no more than 4,000. */
const LARGEST_LIST = 8 << 20;
const LARGEST_ATTRIBUTE = 64 << 10;
/** As `PATH_MAX` has it, and a line end. */
const LONGEST_TARGET = 4097;
/** Files that are asked about at once. */
const AT_ONCE = 500;
const KEPT_INODES = 100_000;
const SLASH = Buffer.from('/');

/** A file system that the Linux of an appliance has mounted. */
export interface MountedParts {
  readonly kind: FileSystemKind;
  readonly held: HeldAppliance;
  /** Where it is mounted: a plain path. */
  readonly mountPoint: string;
}

/**
 * A file system that libguestfs reads. It knows files by their paths, so numbers mean what was met on the way to them: a
 * number from elsewhere is `not-found`. Where anything lies on the disk is not known.
 */
export class LibguestfsTree implements FileTree {
  readonly kind: FileSystemKind;
  /** Its kernel replays a journal without telling. */
  readonly replayedBlocks = 0;
  readonly #held: HeldAppliance;
  readonly #mountPoint: Buffer;
  readonly #numbers = new InodeNumbers();
  readonly #places: InodePlaces;
  readonly #root: Inode;
  readonly #inodes = new RecentFacts<Inode>(KEPT_INODES);
  /** How many attributes a file has. */
  readonly #attributeCounts = new RecentFacts<number>(KEPT_INODES);
  #isClosed = false;

  private constructor({ kind, held, mountPoint }: MountedParts, root: GuestStat) {
    this.kind = kind;
    this.#held = held;
    this.#mountPoint = Buffer.from(mountPoint);
    this.#root = { ...root, number: this.#numbers.of(root, '') };
    this.#places = new InodePlaces(this.#root.number);
  }

  /** @throws CalveError `corrupt`, `io` */
  static async open(parts: MountedParts): Promise<LibguestfsTree> {
    const words = ['lstatns', quoted(Buffer.from(parts.mountPoint))];
    const root = guestStat(parseStructure(await parts.held.appliance.command(words)));
    if (root?.type !== 'directory') throw unexpected('a root that is no directory');
    return new LibguestfsTree(parts, root);
  }

  async root(): Promise<Inode> {
    return this.#root;
  }

  lookup(path: string | Uint8Array, options: { readonly follow?: boolean } = {}): Promise<Inode> {
    return resolvePath(this, path, options.follow ?? true, (directory, name) => this.#find(directory, name));
  }

  async stat(number: number): Promise<Inode> {
    if (number === this.#root.number) return this.#root;
    const known = this.#inodes.get(number);
    if (known !== undefined) return known;
    const place = this.#places.in(number);
    if (place === undefined) return this.#root;
    const names = this.#places.following(number, AT_ONCE).map(({ name }) => name);
    for await (const _ of this.#statAll(place.parent, names));
    const inode = this.#inodes.get(number);
    if (inode === undefined) throw unexpected(`no inode ${number} any more`);
    return inode;
  }

  async *list(directory: Inode): AsyncGenerator<DirectoryEntry> {
    if (directory.type !== 'directory') throw expectedOther('directory', directory);
    const path = this.#path(directory.number);
    // `-` is guestfish's own output.
    const answer = await this.#command(['ls0', quoted(path), '-'], LARGEST_DIRECTORY);
    for await (const [name, { number, type }] of this.#statAll(directory.number, namesIn(answer))) {
      yield { name, inode: number, type };
    }
  }

  async read(file: Inode, offset: number, into: Uint8Array): Promise<number> {
    if (file.type !== 'file') throw expectedOther('file', file);
    const length = Math.max(0, Math.min(into.length, file.size - offset));
    const path = length === 0 ? '' : quoted(this.#path(file.number));
    for (let at = 0; at < length; ) {
      const wanted = Math.min(PIECE, length - at);
      const piece = await this.#command(['pread', path, String(wanted), String(offset + at)], wanted);
      if (piece.length !== wanted) {
        throw unexpected(`${piece.length} bytes of inode ${file.number} at ${offset + at}, not ${wanted}`);
      }
      into.set(piece, at);
      at += wanted;
    }
    return length;
  }

  async readLink(symlink: Inode): Promise<Buffer> {
    if (symlink.type !== 'symlink') throw expectedOther('symlink', symlink);
    const answer = await this.#command(['readlink', quoted(this.#path(symlink.number))], LONGEST_TARGET);
    if (answer.at(-1) !== 0x0a) throw unexpected('a target without an end');
    return answer.subarray(0, -1);
  }

  async xattrs(inode: Inode): Promise<ExtendedAttribute[]> {
    if ((await this.#attributeCount(inode.number)) === 0) return [];
    const path = quoted(this.#path(inode.number));
    const found: ExtendedAttribute[] = [];
    for (const fields of parseStructures(await this.#command(['lgetxattrs', path], LARGEST_LIST))) {
      const name = Buffer.from(fields.get('attrname') ?? '', 'latin1');
      const told = await this.#command(['lgetxattr', path, quoted(name)], LARGEST_ATTRIBUTE);
      const value = ACLS.includes(name.toString('latin1')) ? storedAcl(told) : told;
      if (value === undefined) throw unexpected(`an access control list of inode ${inode.number}`);
      found.push({ name, value });
    }
    return found;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#inodes.clear();
    this.#attributeCounts.clear();
    this.#places.clear();
    await this.#held.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #command(words: readonly string[], most?: number): Promise<Buffer> {
    if (this.#isClosed) throw new CalveError('closed', 'the file system was closed');
    return this.#held.appliance.command(words, most === undefined ? {} : { most });
  }

  /** In the appliance. */
  #path(number: number): Buffer {
    return Buffer.concat([this.#mountPoint, this.#places.path(number)]);
  }

  /** What a name leads to; undefined: there is none. */
  async #find(directory: Inode, name: Buffer): Promise<Inode | undefined> {
    if (name.includes(0)) return undefined;
    try {
      return await this.#statOne(directory.number, name);
    } catch (error) {
      if (CalveError.is(error, 'not-found')) return undefined;
      throw error;
    }
  }

  async #statOne(directory: number, name: Buffer): Promise<Inode> {
    const path = quoted(Buffer.concat([this.#path(directory), SLASH, name]));
    const stat = guestStat(parseStructure(await this.#command(['lstatns', path])));
    return this.#met(directory, name, stat);
  }

  /** Names of a directory with what they lead to; as few questions as lines are long enough for. */
  async *#statAll(directory: number, names: readonly Buffer[]): AsyncGenerator<[Buffer, Inode]> {
    const path = quoted(this.#path(directory));
    for (const line of inLines(names.filter(canBeListed), path.length + 32)) {
      const answer = await this.#command(['lstatnslist', path, quotedList(line)], LARGEST_LIST);
      const told = parseStructures(answer);
      if (told.length !== line.length) throw unexpected(`${told.length} files for ${line.length} names`);
      for (const [at, name] of line.entries()) {
        const fields = told[at];
        yield [name, this.#met(directory, name, fields && guestStat(fields))];
      }
    }
    for (const name of names) if (!canBeListed(name)) yield [name, await this.#statOne(directory, name)];
  }

  /** Notes a file that was come upon. */
  #met(directory: number, name: Buffer, stat: GuestStat | undefined): Inode {
    if (stat === undefined) {
      throw new CalveError(
        'corrupt',
        `${printablePath(name)} is a name in directory ${directory} that leads nowhere`,
      );
    }
    const { home: _, ...inode } = stat;
    const number = this.#numbers.of(stat, `${directory} ${name.toString('latin1')}`);
    this.#places.note(number, directory, name);
    return this.#inodes.keep(number, { ...inode, number });
  }

  /** Asked of the files that follow in its directory, too: few have any, and all may be asked about. */
  async #attributeCount(number: number): Promise<number> {
    const known = this.#attributeCounts.get(number);
    if (known !== undefined) return known;
    const place = this.#places.in(number);
    if (place === undefined || !canBeListed(place.name)) return Number.POSITIVE_INFINITY;
    const path = quoted(this.#path(place.parent));
    const files = this.#places.following(number, AT_ONCE).filter(({ name }) => canBeListed(name));
    const [line = []] = inLines(
      files.map(({ name }) => name),
      path.length + 32,
    );
    const answer = await this.#command(['lxattrlist', path, quotedList(line)], LARGEST_LIST);
    for (const [at, count] of attributeCounts(answer, line.length).entries()) {
      this.#attributeCounts.keep(files[at]?.number ?? number, count);
    }
    return this.#attributeCounts.get(number) ?? Number.POSITIVE_INFINITY;
  }
}

/** Names that end with a zero byte each, by their bytes. @throws CalveError `corrupt` */
function namesIn(answer: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let at = 0; at < answer.length; ) {
    const end = answer.indexOf(0, at);
    const name = answer.subarray(at, end < 0 ? answer.length : end);
    const word = name.toString('latin1');
    if (end < 0 || word === '' || word === '.' || word === '..' || name.includes(SLASH)) {
      throw new CalveError('corrupt', `a name that no file can have: ${JSON.stringify(word)}`);
    }
    if (names.push(name) > MOST_NAMES) {
      throw new CalveError('unsupported', `a directory with more than ${MOST_NAMES} names`);
    }
    at = end + 1;
  }
  return names.sort(Buffer.compare);
}

function expectedOther(expected: string, { number, type }: Inode): CalveError {
  return new CalveError('usage', `expected a ${expected}, got inode ${number}, a ${type}`);
}
