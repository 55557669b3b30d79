import { CalveError } from '../../../errors/index.ts';
import type { ExtendedAttribute } from '../../file-tree.ts';
import { printablePath } from '../../printable-path.ts';
import type { TreeChange } from '../../tree-change.ts';
import type { WriteOptions } from '../../write-options.ts';
import { DebugfsSession, dotted, hasLineEnd, words } from './debugfs-session.ts';
import type { ExtScratch, ScratchView } from './ext-scratch.ts';
import { fittingAttributes } from './fitting-attributes.ts';
import { giveLinks, type NewLink } from './give-links.ts';
import { GivenSources } from './given-sources.ts';
import { requestDebugfs } from './request-debugfs.ts';
import {
  type ChangedDirectory,
  namesIn,
  settleAttributes,
  settleDirectories,
  settleLinks,
  standInTarget,
} from './settle-attributes.ts';
import { type Created, verifyCreated } from './verify-created.ts';

/** Changes that one debugfs does, and bytes of attributes; they are kept in memory until it has. */
const MOST_IN_SESSION = 1000;
const MOST_BYTES_IN_SESSION = 16 << 20;
/** A target that the inode holds, where it can be written by hand. */
const SHORT_SYMLINK = 60;
const ROOT_INODE = 2;
/** Inode flags as lsattr knows them: immutable, append only; names without regard to case. */
const PROTECTED = 0x30;
const CASEFOLD = 0x40000000;

/** A name in a directory that is there. */
interface Existing {
  readonly number: number;
  readonly isDirectory: boolean;
}

/** A further name of a file whose inode is not known yet. */
interface PendingLink extends Omit<NewLink, 'file' | 'parent'> {
  readonly id: number;
  readonly directory: string;
}

/** Changes of an ext file system, handed to debugfs in batches, each of which is then verified. */
export class ExtChanges implements AsyncDisposable {
  readonly #scratch: ExtScratch;
  readonly #options: WriteOptions;
  readonly #sources: GivenSources;
  #session: DebugfsSession | undefined;
  /** The directory in which debugfs is. */
  #here: string | undefined;
  #created: Created[] = [];
  /** Further names, which are given when the inodes of what they name are known. */
  #links: PendingLink[] = [];
  /** Files that may get further names, and how many they have. */
  readonly #linked = new Map<number, { readonly number: number; names: number }>();
  /** Bytes of attributes in `#created`. */
  #attributeBytes = 0;
  /** Paths of `#created` and `#links`. */
  readonly #fresh = new Set<string>();
  /** The inodes of directories, by path. */
  readonly #directories = new Map<string, number>([['', ROOT_INODE]]);
  /** Directories that get attributes when all is done, by inode. */
  readonly #changed = new Map<number, ChangedDirectory>();
  /** Directories in which this session makes or takes away names: what the scratch says of them is in between. */
  readonly #touched = new Set<number>();
  /** The scratch as it was when the session began. */
  #view: ScratchView | undefined;
  /** The names in the directory that was looked into last. */
  #names: { readonly directory: number; readonly names: Map<string, Existing> } | undefined;
  /** How many names each inode lost. */
  readonly #unlinked = new Map<number, number>();
  /** Names that debugfs cannot be told line by line: they get them at the end. */
  readonly #odd: { readonly directory: string; readonly stand: Buffer; readonly name: Buffer }[] = [];

  constructor(scratch: ExtScratch, options: WriteOptions) {
    this.#scratch = scratch;
    this.#options = options;
    this.#sources = new GivenSources(options);
  }

  async add(change: TreeChange): Promise<void> {
    const path = change.path.toString('latin1');
    const slash = path.lastIndexOf('/');
    const above = slash < 0 ? '' : path.slice(0, slash);
    const name = change.path.subarray(slash + 1);
    // Of what was made in this very session nothing is known yet.
    if (this.#fresh.has(path)) await this.#flush();
    const existing = await this.#existing(above, name, change.path);
    if (change.kind === 'directory' && existing !== undefined) {
      if (!existing.isDirectory) throw inTheWay(change.path);
      this.#directories.set(path, existing.number);
      this.#changed.set(existing.number, { path, attributes: change.attributes });
      return;
    }
    if (existing?.isDirectory === true) throw inTheWay(change.path);
    const session = await this.#enter(above);
    const directory = this.#directories.get(above);
    if (directory !== undefined) this.#touched.add(directory);
    if (existing !== undefined) await this.#unlink(session, existing.number, name);
    else if (change.kind === 'remove') throw notThere(change.path);
    if (change.kind === 'remove') return;
    const as = hasLineEnd(name) ? this.#standIn(above, name) : name;
    this.#fresh.add(path);
    if (change.kind === 'link') this.#links.push({ id: change.id, path: change.path, directory: above, as });
    else {
      await this.#create(session, change, as);
      const xattrs = await this.#giveAttributes(session, change, as);
      this.#created.push({ change, directory: above, as, xattrs });
    }
    if (change.kind === 'directory' && as !== name) await this.#flush();
    if (this.#isLarge) await this.#flush();
    else if (this.#sources.areMany) await this.#settleSources();
  }

  /** Does what is left: names, what lost its last name, attributes of directories. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#giveOddNames();
    await this.#freeUnlinked();
    await settleDirectories(this.#scratch, this.#changed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]();
    await this.#view?.[Symbol.asyncDispose]();
    await this.#sources.close();
  }

  async #create(session: DebugfsSession, change: Created['change'], as: Buffer): Promise<void> {
    if (change.kind === 'directory') session.give(words('mkdir', dotted(as)));
    else if (change.kind === 'symlink') {
      if (hasLineEnd(change.target) && change.target.length >= SHORT_SYMLINK) {
        throw new CalveError(
          'unsupported',
          `${printablePath(change.path)}: a symlink of ${SHORT_SYMLINK} bytes or more with a line end in it cannot be written`,
        );
      }
      session.give(words('symlink', dotted(as), standInTarget(change.target)));
    } else session.give(words('write', await this.#sources.pathOf(change.source), as));
  }

  /** Gives what was made the attributes that there is room for, and returns them. */
  async #giveAttributes(
    session: DebugfsSession,
    change: Created['change'],
    as: Buffer,
  ): Promise<readonly ExtendedAttribute[]> {
    if (change.kind === 'symlink' || change.xattrs === undefined || change.xattrs.length === 0) return [];
    const tellable = change.xattrs.filter(({ name }) => !hasLineEnd(name));
    const fitting = fittingAttributes(this.#scratch.superblock, tellable);
    const lost = change.xattrs.length - fitting.length;
    if (lost > 0) this.#options.onLostAttributes?.(lost);
    for (const { name, value } of fitting) {
      this.#attributeBytes += name.length + value.length;
      session.give(words('ea_set -r -f', await this.#sources.pathOfValue(value), dotted(as), name));
    }
    return fitting;
  }

  get #isLarge(): boolean {
    return (
      this.#created.length + this.#links.length >= MOST_IN_SESSION ||
      this.#attributeBytes >= MOST_BYTES_IN_SESSION
    );
  }

  /** debugfs in this directory. */
  async #enter(directory: string): Promise<DebugfsSession> {
    this.#session ??= await DebugfsSession.open(this.#scratch.path, this.#options.signal);
    if (this.#here === directory) return this.#session;
    this.#here = directory;
    const names = directory === '' ? [] : directory.split('/');
    let known = names.length;
    while (this.#directories.get(names.slice(0, known).join('/')) === undefined) known -= 1;
    const number = this.#directories.get(names.slice(0, known).join('/'));
    this.#session.give(Buffer.from(`cd <${number}>`));
    const rest = names.slice(known).join('/');
    if (rest !== '') this.#session.give(words('cd', dotted(Buffer.from(rest, 'latin1'))));
    return this.#session;
  }

  /** What has the name now; nothing has one in a directory that was made in this session. */
  async #existing(directory: string, name: Buffer, path: Buffer): Promise<Existing | undefined> {
    let number = this.#directories.get(directory);
    if (number === undefined) {
      if (this.#fresh.has(directory)) return undefined;
      const { tree } = await this.#looking();
      const found = await tree.lookup(Buffer.from(directory, 'latin1'), { follow: false });
      if (found.type !== 'directory') throw notThere(path);
      number = found.number;
      this.#directories.set(directory, number);
    }
    if (this.#names?.directory !== number) {
      if (this.#touched.has(number)) await this.#flush();
      this.#names = { directory: number, names: await this.#look(number, directory) };
    }
    return this.#names.names.get(name.toString('latin1'));
  }

  async #look(directory: number, path: string): Promise<Map<string, Existing>> {
    const { tree } = await this.#looking();
    const inode = await tree.stat(directory);
    if (inode.flags & CASEFOLD) {
      throw new CalveError(
        'unsupported',
        `${printablePath(Buffer.from(`/${path}`, 'latin1'))}: names there have no case (casefold); none is written among them`,
      );
    }
    const names = new Map<string, Existing>();
    for await (const { name, inode: number, type } of tree.list(inode)) {
      const known = type === 'unknown' ? (await tree.stat(number)).type : type;
      names.set(name.toString('latin1'), { number, isDirectory: known === 'directory' });
    }
    return names;
  }

  async #looking(): Promise<ScratchView> {
    this.#view ??= await this.#scratch.open();
    return this.#view;
  }

  async #unlink(session: DebugfsSession, number: number, name: Buffer): Promise<void> {
    const { tree } = await this.#looking();
    if ((await tree.stat(number)).flags & PROTECTED) {
      throw new CalveError(
        'denied',
        `${printablePath(name)}: the guest protects it from changes (chattr +i or +a)`,
      );
    }
    if (hasLineEnd(name)) {
      throw new CalveError(
        'unsupported',
        `${printablePath(name)}: a name with a line end cannot be replaced`,
      );
    }
    session.give(words('unlink', dotted(name)));
    this.#unlinked.set(number, (this.#unlinked.get(number) ?? 0) + 1);
    this.#names?.names.delete(name.toString('latin1'));
  }

  #standIn(directory: string, name: Buffer): Buffer {
    // As long as the name at least, so that there is room for that.
    const stand = Buffer.from(`.calve-${process.pid}-${this.#odd.length}-`.padEnd(name.length, '_'));
    this.#odd.push({ directory, stand, name });
    return stand;
  }

  async #settleSources(): Promise<void> {
    await this.#session?.settle();
    this.#here = undefined;
    await this.#sources.close();
  }

  /** Ends the session; what it made gets its attributes and is compared with what was wanted. */
  async #flush(): Promise<void> {
    if (this.#session === undefined) return;
    {
      await using session = this.#session;
      await session.end();
    }
    this.#session = undefined;
    this.#here = undefined;
    this.#names = undefined;
    this.#touched.clear();
    await this.#view?.[Symbol.asyncDispose]();
    this.#view = undefined;
    await this.#sources.close();
    const created = this.#created;
    this.#created = [];
    this.#attributeBytes = 0;
    const links = this.#links;
    this.#links = [];
    this.#fresh.clear();
    const numbers = await settleAttributes(this.#scratch, created, this.#directories);
    for (const [at, { change }] of created.entries()) {
      const number = numbers[at];
      if (number === undefined) continue;
      if (change.kind === 'file' && change.id !== undefined)
        this.#linked.set(change.id, { number, names: 1 });
      if (change.kind !== 'directory') continue;
      const path = change.path.toString('latin1');
      this.#directories.set(path, number);
      this.#changed.set(number, { path, attributes: change.attributes });
    }
    for (const { directory } of [...created, ...links]) this.#noteTouched(directory);
    await this.#giveLinks(links);
    const names = new Map([...this.#linked.values()].map((file) => [file.number, file.names]));
    await verifyCreated(this.#scratch, created, { numbers, names, signal: this.#options.signal });
  }

  async #giveLinks(links: readonly PendingLink[]): Promise<void> {
    if (links.length === 0) return;
    const given = links.map(({ id, ...link }): NewLink => {
      const file = this.#linked.get(id);
      const parent = this.#directories.get(link.directory);
      if (file === undefined || parent === undefined)
        throw new TypeError('a file is made ahead of its links');
      file.names += 1;
      return { ...link, parent, file };
    });
    await giveLinks(this.#scratch, given, this.#options.signal);
  }

  /** A directory that was there and is given new names is changed now, if nothing else is said. */
  #noteTouched(path: string): void {
    const number = this.#directories.get(path);
    if (number === undefined || this.#changed.has(number)) return;
    this.#changed.set(number, { path, attributes: undefined });
  }

  /** Names with line ends are given by a debugfs of their own each, in place of those that stood in for them. */
  async #giveOddNames(): Promise<void> {
    if (this.#odd.length === 0) return;
    const { path } = this.#scratch;
    const { signal } = this.#options;
    const places: { readonly directory: number; readonly inode: number; readonly name: Buffer }[] = [];
    {
      await using session = await DebugfsSession.open(path, signal);
      for (const { directory: above, stand, name } of this.#odd) {
        const directory = this.#directories.get(above) ?? ROOT_INODE;
        const inode = await this.#scratch.reading(async (tree) => {
          const number = (await namesIn(tree, directory)).get(stand.toString('latin1'));
          if (number === undefined) throw notThere(stand);
          return number;
        });
        places.push({ directory, inode, name });
        session.give(Buffer.from(`cd <${directory}>`));
        session.give(words('unlink', dotted(stand)));
      }
      await session.end();
    }
    for (const { directory, inode, name } of places) {
      const full = Buffer.concat([Buffer.from(`<${directory}>/`), name]);
      await requestDebugfs(path, words(`ln <${inode}>`, full), signal);
    }
  }

  /** What has no name any more gives its room back, now that nothing else is to be given any: see `applyScratch`. */
  async #freeUnlinked(): Promise<void> {
    if (this.#unlinked.size === 0) return;
    const { gone, fewer } = await this.#scratch.reading(async (tree) => {
      const found = { gone: [] as number[], fewer: new Map<number, number>() };
      for (const [number, names] of this.#unlinked) {
        const { links } = await tree.stat(number);
        found.fewer.set(number, Math.max(0, links - names));
        if (links <= names) found.gone.push(number);
      }
      return found;
    });
    await settleLinks(this.#scratch, fewer);
    if (gone.length === 0) return;
    await using session = await DebugfsSession.open(this.#scratch.path, this.#options.signal);
    for (const number of gone) session.give(Buffer.from(`kill_file <${number}>`));
    await session.end();
  }
}

function inTheWay(path: Buffer): CalveError {
  return new CalveError(
    'exists',
    `${printablePath(path)} in the guest: a directory does not replace anything else, nor is it replaced`,
  );
}

function notThere(path: Buffer): CalveError {
  return new CalveError('not-found', `${printablePath(path)}: no such file in the guest`);
}
