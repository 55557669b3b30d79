import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { DirectoryContents } from '../directory-contents.ts';
import type { DirectoryEntry, ExtendedAttribute, FileExtent, FileTree } from '../file-tree.ts';
import { foldName } from '../fold-name.ts';
import type { Inode } from '../inode.ts';
import { resolvePath } from '../resolve-path.ts';
import { RunCache } from '../run-cache.ts';
import { corrupt } from './corrupt.ts';
import {
  type DirectoryRecord,
  isDots,
  LARGEST_RECORD,
  parseRecord,
  SMALLEST_RECORD,
} from './directory-record.ts';
import { type IsoInode, type IsoSection, inodeType, isoInode } from './iso-inode.ts';
import { jolietName, plainName } from './iso-name.ts';
import { type RockRidge, readRockRidge } from './rock-ridge.ts';
import { skippedBytes, systemUseFields } from './system-use.ts';
import type { IsoVolume } from './volume-descriptors.ts';

/** No record passes the end of one (ECMA-119, 6.8.1.1). */
const SECTOR = 2048;
const KEPT_BYTES = 8 << 20;
/** A directory of two million names; what says that it is larger is not believed. */
const LARGEST_DIRECTORY = 64 << 20;
/** A section has up to 4 GiB. */
const MOST_SECTIONS = 4096;

/** What a tree stands on. */
export interface IsoParts {
  /** The image, whole; stays open. */
  readonly disk: Disk;
  /** Where it begins on the whole disk, in bytes. */
  readonly diskOffset: number;
  readonly volume: IsoVolume;
}

/** A tree of directories in an ISO 9660 image: of the primary one, with Rock Ridge where there is any, or of Joliet's. */
export class IsoTree implements FileTree {
  readonly kind = 'iso9660';
  readonly replayedBlocks = 0;
  readonly #disk: Disk;
  readonly #diskOffset: number;
  readonly #volume: IsoVolume;
  readonly #sectors: RunCache;
  readonly #directories = new DirectoryContents();
  /** Bytes ahead of what Rock Ridge has in each record; undefined: it has nothing. */
  #skip: number | undefined;

  private constructor({ disk, diskOffset, volume }: IsoParts) {
    this.#disk = disk;
    this.#diskOffset = diskOffset;
    this.#volume = volume;
    this.#sectors = new RunCache(disk, { runBytes: SECTOR, bytes: KEPT_BYTES });
  }

  /** @throws CalveError `corrupt` */
  static async open(parts: IsoParts): Promise<IsoTree> {
    const tree = new IsoTree(parts);
    if (parts.volume.joliet) return tree;
    const self = await tree.#selfOf(await tree.#record(parts.volume.rootAt));
    const skip = skippedBytes(self.systemUse);
    if (skip === undefined) return tree;
    tree.#skip = skip;
    if ((await tree.#rockRidge(self)).mode === undefined) tree.#skip = undefined;
    return tree;
  }

  /** Whether names, modes and owners are those of POSIX. */
  get hasRockRidge(): boolean {
    return this.#skip !== undefined;
  }

  root(): Promise<Inode> {
    return this.stat(this.#volume.rootAt);
  }

  lookup(path: string | Uint8Array, options: { readonly follow?: boolean } = {}): Promise<Inode> {
    const follow = options.follow ?? true;
    if (!this.#volume.joliet) return resolvePath(this, path, follow);
    return resolvePath(this, path, follow, (directory, name) => this.#findFolded(directory, name));
  }

  async stat(number: number): Promise<IsoInode> {
    const record = await this.#record(number);
    if (number === this.#volume.rootAt) {
      return isoInode(number, record, await this.#rockRidge(await this.#selfOf(record)), [
        this.#section(record),
      ]);
    }
    const rock = await this.#rockRidge(record);
    if (rock.child !== undefined) {
      // What was moved out of a path that was too deep: all about it is told where it lies.
      const self = await this.#record(rock.child * this.#volume.blockSize);
      if (!isDots(self.name)) throw corrupt(`directory record at byte ${number}`, 'it leads to no directory');
      const own = await this.#rockRidge(self);
      return isoInode(number, { ...self, isDirectory: true }, own, [this.#section(self)]);
    }
    return isoInode(number, record, rock, await this.#sections(record));
  }

  async *list(directory: Inode): AsyncGenerator<DirectoryEntry> {
    const inode = await this.#whole(directory);
    if (inode.type !== 'directory') throw expectedOther('directory', inode);
    let goesOn = false;
    for await (const record of this.#records(inode)) {
      const isFurther = goesOn;
      goesOn = record.goesOn;
      if (isFurther || isDots(record.name) || record.isAssociated) continue;
      const rock = await this.#rockRidge(record);
      if (rock.isRelocated === true) continue;
      const name = this.#name(record, rock);
      checkName(name, record);
      yield { name, inode: record.at, type: inodeType(record.at, record, rock) };
    }
  }

  async read(file: Inode, offset: number, into: Uint8Array): Promise<number> {
    const inode = await this.#whole(file);
    if (inode.type === 'directory' || inode.type === 'symlink') throw expectedOther('file', inode);
    if (inode.unreadable !== null) {
      throw new CalveError('unsupported', `file ${inode.number} ${inode.unreadable}, which is not read here`);
    }
    const length = Math.max(0, Math.min(into.length, inode.size - offset));
    let from = 0;
    for (const section of inode.sections) {
      const start = Math.max(offset, from);
      const end = Math.min(offset + length, from + section.length);
      if (start < end) {
        const at = section.offset + start - from;
        const piece = into.subarray(start - offset, end - offset);
        this.#check(at, piece.length, `file ${inode.number}`);
        if (this.#disk.tryRead?.(piece, at) !== true) await this.#disk.read(piece, at);
      }
      from += section.length;
    }
    return length;
  }

  async readLink(symlink: Inode): Promise<Buffer> {
    const inode = await this.#whole(symlink);
    if (inode.type !== 'symlink') throw expectedOther('symlink', inode);
    if (inode.target === null)
      throw corrupt(`symlink ${inode.number}`, 'what says where it points is missing or broken');
    return Buffer.from(inode.target);
  }

  async xattrs(): Promise<ExtendedAttribute[]> {
    return [];
  }

  async *extents(inode: Inode): AsyncGenerator<FileExtent> {
    const whole = await this.#whole(inode);
    if (whole.type !== 'file' && whole.type !== 'directory') return;
    let from = 0;
    for (const { offset, length } of whole.sections) {
      if (length === 0) continue;
      this.#check(offset, length, `${whole.type} ${whole.number}`);
      yield { offset: from, length, diskOffset: this.#diskOffset + offset };
      from += length;
    }
  }

  async inodeRange(number: number): Promise<{ offset: number; length: number }> {
    const { at, length } = await this.#record(number);
    return { offset: this.#diskOffset + at, length };
  }

  async close(): Promise<void> {
    this.#sectors.clear();
    this.#directories.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #name(record: DirectoryRecord, rock: RockRidge): Buffer {
    if (rock.name !== undefined) return rock.name;
    return this.#volume.joliet ? jolietName(record.name) : plainName(record.name);
  }

  /** The record that stands at this byte of the image. */
  async #record(at: number): Promise<DirectoryRecord> {
    if (!Number.isSafeInteger(at) || at < 0 || at + SMALLEST_RECORD > this.#disk.size) {
      throw new CalveError('not-found', `no directory record stands at byte ${at} of the image`);
    }
    const most = Math.min(LARGEST_RECORD, SECTOR - (at % SECTOR), this.#disk.size - at);
    return parseRecord(await this.#sectors.bytes(at, most), at);
  }

  /** The first record of a directory, which is about itself. */
  async #selfOf(record: DirectoryRecord): Promise<DirectoryRecord> {
    const { offset } = this.#section(record);
    this.#check(offset, SMALLEST_RECORD, 'root directory');
    return this.#record(offset);
  }

  /** The records of a directory, in the order in which they stand. */
  async *#records({ number, sections }: IsoInode): AsyncGenerator<DirectoryRecord> {
    const [section] = sections;
    if (section === undefined) return;
    const where = `directory ${number}`;
    const other = this.#directories.claim(section.offset, number);
    if (other !== undefined) throw corrupt(where, `its content is that of directory ${other}`);
    if (section.length > LARGEST_DIRECTORY)
      throw corrupt(where, `${section.length} bytes; ${LARGEST_DIRECTORY} are read`);
    this.#check(section.offset, section.length, where);
    const end = section.offset + section.length;
    for (let at = section.offset; at < end; ) {
      const sectorEnd = Math.min(end, at - (at % SECTOR) + SECTOR);
      const bytes = await this.#sectors.bytes(at, sectorEnd - at);
      // No record fits the rest of the sector.
      if (bytes[0] === 0) {
        at = sectorEnd;
        continue;
      }
      const record = parseRecord(bytes, at);
      yield record;
      at += record.length;
    }
  }

  #section(record: DirectoryRecord): IsoSection {
    return { offset: record.block * this.#volume.blockSize, length: record.size };
  }

  /** Where a file lies: its record says that it goes on in the one behind. */
  async #sections(record: DirectoryRecord): Promise<IsoSection[]> {
    const sections = [this.#section(record)];
    for (let here = record; here.goesOn; ) {
      const where = `directory record at byte ${here.at}`;
      if (sections.length === MOST_SECTIONS)
        throw corrupt(where, `a file of more than ${MOST_SECTIONS} sections`);
      let at = here.at + here.length;
      const rest = SECTOR - (at % SECTOR);
      if (rest < SECTOR && (await this.#sectors.bytes(at, 1))[0] === 0) at += rest;
      if (at + SMALLEST_RECORD > this.#disk.size)
        throw corrupt(where, 'its file goes on behind the end of the image');
      here = await this.#record(at);
      if (!here.name.equals(record.name))
        throw corrupt(where, 'its file goes on in the record of another one');
      sections.push(this.#section(here));
    }
    return sections;
  }

  async #rockRidge(record: DirectoryRecord): Promise<RockRidge> {
    if (this.#skip === undefined) return {};
    const where = `directory record at byte ${record.at}`;
    const fields = systemUseFields(
      record.systemUse.subarray(this.#skip),
      async ({ block, offset, length }) => {
        const at = block * this.#volume.blockSize + offset;
        this.#check(at, length, where);
        const bytes = Buffer.alloc(length);
        await this.#disk.read(bytes, at);
        return bytes;
      },
      where,
    );
    return readRockRidge(fields, where);
  }

  async #findFolded(directory: Inode, name: Buffer): Promise<Inode | undefined> {
    const wanted = foldName(name);
    for await (const entry of this.list(directory)) {
      if (foldName(entry.name) === wanted) return this.stat(entry.inode);
    }
    return undefined;
  }

  /** Where the content lies: of our own inode it is there, of one that was copied or stored it is read again. */
  async #whole(inode: Inode): Promise<IsoInode> {
    return 'sections' in inode ? (inode as IsoInode) : this.stat(inode.number);
  }

  #check(offset: number, length: number, where: string): void {
    if (offset + length <= this.#disk.size) return;
    throw corrupt(
      where,
      `expected it within the ${this.#disk.size} bytes of the image, got ${length} bytes at ${offset}`,
    );
  }
}

function checkName(name: Buffer, record: DirectoryRecord): void {
  const word = name.toString('latin1');
  if (word !== '' && word !== '.' && word !== '..' && !/[/\0]/.test(word)) return;
  throw corrupt(
    `directory record at byte ${record.at}`,
    `a name that no file can have: ${JSON.stringify(word)}`,
  );
}

function expectedOther(expected: string, { number, type }: Inode): CalveError {
  return new CalveError('usage', `expected a ${expected}, got inode ${number}, a ${type}`);
}
