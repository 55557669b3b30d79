import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type {
  DirectoryEntry,
  DiskRange,
  ExtendedAttribute,
  FileExtent,
  FileTree,
  MayDiffer,
} from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { resolvePath } from '../resolve-path.ts';
import {
  ATTRIBUTE_MAGIC,
  type AttributeEntry,
  attributeEntries,
  findAttribute,
  INLINE_REST,
} from './attributes.ts';
import type { BlockRun } from './block-run.ts';
import { Blocks } from './blocks.ts';
import { checkChecksum, corrupt } from './corrupt.ts';
import { crc32c } from './crc32c.ts';
import { directoryEntries, verifyDirectoryBlock } from './directory-block.ts';
import { DirectoryBlocks } from './directory-blocks.ts';
import { type ExtInode, INODE_FLAG, parseInode } from './ext-inode.ts';
import { INCOMPAT, RO_COMPAT } from './features.ts';
import { fileRuns } from './file-runs.ts';
import { GroupDescriptors } from './group-descriptors.ts';
import type { Superblock } from './superblock.ts';

const ROOT = 2;
/** i_block holds a target that is shorter than itself; Linux lets none be longer than a path. */
const SHORT_SYMLINK = 60;
const LONGEST_SYMLINK = 4096;
/** Attribute block: 8 blocks, always 1 · 16 checksum · 32 entries. */
const ATTRIBUTE_ENTRIES_AT = 32;

/** What a tree stands on. */
export interface ExtParts {
  /** The file system, whole; stays open. */
  readonly disk: Disk;
  /** Where it begins on the whole disk, in bytes. */
  readonly diskOffset: number;
  readonly superblock: Superblock;
  /** Blocks that a journal put in the place of those on the disk. */
  readonly replayed: readonly number[];
  /** Bytes that are kept of tables, and as many of other metadata (default 16 MiB). */
  readonly keptBytes?: number | undefined;
}

/** An ext2, ext3 or ext4 file system. */
export class ExtTree implements FileTree {
  readonly kind: 'ext2' | 'ext3' | 'ext4';
  readonly replayedBlocks: number;
  readonly replayedRanges: readonly DiskRange[];
  readonly groups: GroupDescriptors;
  readonly #superblock: Superblock;
  readonly #diskOffset: number;
  readonly #blocks: Blocks;
  readonly #directories = new DirectoryBlocks();
  readonly #hasChecksums: boolean;

  constructor({ disk, diskOffset, superblock, replayed, keptBytes }: ExtParts) {
    this.kind = superblock.kind;
    this.replayedBlocks = replayed.length;
    this.replayedRanges = replayed.map((block) => ({
      offset: diskOffset + block * superblock.blockSize,
      length: superblock.blockSize,
    }));
    this.#superblock = superblock;
    this.#diskOffset = diskOffset;
    this.#blocks = new Blocks(disk, superblock.blockSize, superblock.blocks, keptBytes);
    this.groups = new GroupDescriptors(superblock, this.#blocks);
    this.#hasChecksums = (superblock.roCompat & RO_COMPAT.metadataCsum) !== 0;
  }

  async root(): Promise<Inode> {
    const root = await this.stat(ROOT);
    if (root.type !== 'directory')
      throw corrupt(`inode ${ROOT}`, `expected the root directory, got ${root.type}`);
    return root;
  }

  lookup(path: string | Uint8Array, options: { readonly follow?: boolean } = {}): Promise<Inode> {
    return resolvePath(this, path, options.follow ?? true);
  }

  async stat(number: number): Promise<ExtInode> {
    const { inodeSize } = this.#superblock;
    const inode = parseInode(
      this.#superblock,
      number,
      await this.#blocks.tableEntry(await this.#place(number), inodeSize),
    );
    if (inode.links === 0 && inode.type === 'unknown') {
      throw new CalveError('not-found', `inode ${number} is not in use`);
    }
    return inode;
  }

  async *list(directory: Inode): AsyncGenerator<DirectoryEntry> {
    const inode = await this.#whole(directory);
    if (inode.type !== 'directory') {
      throw new CalveError('usage', `expected a directory, got inode ${inode.number}, a ${inode.type}`);
    }
    refuseEncrypted(inode);
    if (inode.flags & INODE_FLAG.inlineData) {
      const where = `directory ${inode.number}, inline`;
      const content = await this.#inline(inode);
      // 4 bytes name the parent; what does not fit i_block has entries of its own.
      yield* directoryEntries(this.#superblock, content.subarray(4, SHORT_SYMLINK), where);
      yield* directoryEntries(this.#superblock, content.subarray(SHORT_SYMLINK), where);
      return;
    }
    const isIndexed = (inode.flags & INODE_FLAG.indexed) !== 0;
    let step = 0;
    const claim = (block: number): void => {
      if (!this.#directories.claim(inode.number, step, block)) {
        throw corrupt(`directory ${inode.number}`, `block ${block} is one of a directory already`);
      }
      step += 1;
    };
    for await (const { first, count, block } of this.#runs(inode, 0, claim)) {
      // As in Linux, what a directory has no blocks for holds no names.
      if (block === null) continue;
      for (let at = 0; at < count; at += 1) {
        claim(block + at);
        const where = `directory ${inode.number}, block ${block + at}`;
        const bytes = await this.#blocks.metadata(block + at, where);
        if (this.#hasChecksums) {
          verifyDirectoryBlock(bytes, { index: first + at, seed: inode.checksumSeed, isIndexed }, where);
        }
        yield* directoryEntries(this.#superblock, bytes, where);
      }
    }
  }

  async read(file: Inode, offset: number, into: Uint8Array): Promise<number> {
    const inode = await this.#whole(file);
    refuseEncrypted(inode);
    const length = Math.max(0, Math.min(into.length, inode.size - offset));
    if (length === 0) return 0;
    if (inode.flags & INODE_FLAG.inlineData) {
      into.set((await this.#inline(inode)).subarray(offset, offset + length));
      return length;
    }
    const { blockSize } = this.#blocks;
    for await (const { first, count, block } of this.#runs(inode, Math.floor(offset / blockSize))) {
      const start = Math.max(offset, first * blockSize);
      const end = Math.min(offset + length, (first + count) * blockSize);
      if (start >= end) break;
      const piece = into.subarray(start - offset, end - offset);
      if (block === null) piece.fill(0);
      else await this.#blocks.content(piece, (block - first) * blockSize + start);
    }
    return length;
  }

  async readLink(symlink: Inode): Promise<Buffer> {
    const inode = await this.#whole(symlink);
    if (inode.type !== 'symlink') {
      throw new CalveError('usage', `expected a symlink, got inode ${inode.number}, a ${inode.type}`);
    }
    refuseEncrypted(inode);
    if (inode.size > LONGEST_SYMLINK)
      throw corrupt(`inode ${inode.number}`, `a symlink of ${inode.size} bytes`);
    if (this.#isShort(inode)) return Buffer.from(inode.block.subarray(0, inode.size));
    const target = Buffer.alloc(inode.size);
    await this.read(inode, 0, target);
    return target;
  }

  async xattrs(inode: Inode): Promise<ExtendedAttribute[]> {
    const all = await this.#attributes(await this.#whole(inode));
    return all.filter(({ name }) => name.toString('latin1') !== INLINE_REST);
  }

  /** @param onMap told the blocks that lead there, each when it is read */
  async *extents(inode: Inode, onMap?: (block: number) => void): AsyncGenerator<FileExtent> {
    const whole = await this.#whole(inode);
    if (whole.flags & INODE_FLAG.inlineData || (whole.type !== 'file' && whole.type !== 'directory')) return;
    const { blockSize } = this.#blocks;
    for await (const { first, count, block } of this.#runs(whole, 0, onMap)) {
      yield {
        offset: first * blockSize,
        length: count * blockSize,
        diskOffset: block === null ? null : this.#diskOffset + block * blockSize,
      };
    }
  }

  async inodeRange(number: number): Promise<DiskRange> {
    return { offset: this.#diskOffset + (await this.#place(number)), length: this.#superblock.inodeSize };
  }

  async statUntouched(number: number, mayDiffer: MayDiffer): Promise<ExtInode | undefined> {
    const inode = await this.#untouched(number, mayDiffer);
    if (inode === undefined) return undefined;
    if (inode.attributeBlock !== 0 && mayDiffer(...this.#range(inode.attributeBlock, 1))) return undefined;
    if (!(this.#superblock.incompat & INCOMPAT.eaInode)) return inode;
    for await (const { value } of this.#attributeEntries(inode)) {
      if (Buffer.isBuffer(value)) continue;
      if ((await this.#untouched(value.inode, mayDiffer)) === undefined) return undefined;
    }
    return inode;
  }

  /** A block of metadata that no file has: a bitmap. It must not be changed. */
  metadata(block: number, structure: string): Promise<Buffer> {
    return this.#blocks.metadata(block, structure);
  }

  async close(): Promise<void> {
    this.#directories.clear();
    this.#blocks.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Where an inode lies in the file system, in bytes. */
  async #place(number: number): Promise<number> {
    const { inodes, inodesPerGroup, inodeSize, blockSize } = this.#superblock;
    if (!Number.isInteger(number) || number < 1 || number > inodes) {
      throw new CalveError('not-found', `expected an inode from 1 to ${inodes}, got ${number}`);
    }
    const table = await this.groups.inodeTable(Math.floor((number - 1) / inodesPerGroup));
    return table * blockSize + ((number - 1) % inodesPerGroup) * inodeSize;
  }

  /** The inode, if neither it nor its content may differ, nor what leads there; attributes are left out. */
  async #untouched(number: number, mayDiffer: MayDiffer): Promise<ExtInode | undefined> {
    const { offset, length } = await this.inodeRange(number);
    if (mayDiffer(offset, length)) return undefined;
    const inode = await this.stat(number);
    if (!this.#hasBlocks(inode)) return inode;
    let touched = false;
    const onMap = (block: number): void => {
      touched ||= mayDiffer(...this.#range(block, 1));
    };
    for await (const { count, block } of fileRuns(this.#blocks, inode, this.#hasChecksums, 0, onMap)) {
      if (touched || (block !== null && mayDiffer(...this.#range(block, count)))) return undefined;
    }
    return touched ? undefined : inode;
  }

  /** Whether what it holds lies in blocks: neither in itself nor nowhere. */
  #hasBlocks(inode: ExtInode): boolean {
    if (inode.flags & INODE_FLAG.inlineData) return false;
    if (inode.type === 'symlink') return !this.#isShort(inode);
    return inode.type === 'file' || inode.type === 'directory';
  }

  /** Whether a symlink's target stands in the place of block numbers. */
  #isShort({ flags, attributeBlock, size, allocated }: ExtInode): boolean {
    const isMapped = (flags & (INODE_FLAG.extents | INODE_FLAG.inlineData)) !== 0;
    // A short target takes no blocks; those of attributes are counted too.
    const attributes = attributeBlock === 0 ? 0 : this.#superblock.clusterSize;
    return !isMapped && size < SHORT_SYMLINK && allocated <= attributes;
  }

  /** Where blocks lie on the whole disk. */
  #range(block: number, count: number): [offset: number, length: number] {
    const { blockSize } = this.#blocks;
    return [this.#diskOffset + block * blockSize, count * blockSize];
  }

  /** What leads to the content: of our own inode it is there, of one that was copied or stored it is read again. */
  async #whole(inode: Inode): Promise<ExtInode> {
    return 'attributeBlock' in inode ? (inode as ExtInode) : this.stat(inode.number);
  }

  #runs(inode: ExtInode, from = 0, onMap?: (block: number) => void): AsyncGenerator<BlockRun> {
    return fileRuns(this.#blocks, inode, this.#hasChecksums, from, onMap);
  }

  /** Content that lies in the inode: in i_block, and what does not fit there in an attribute. */
  async #inline(inode: ExtInode): Promise<Buffer> {
    const rest = findAttribute([...(await this.#attributes(inode, { inInode: true }))], INLINE_REST);
    const content = rest === undefined ? inode.block : Buffer.concat([inode.block, rest.value]);
    if (inode.type === 'directory') return content;
    if (inode.size > content.length) {
      throw corrupt(`inode ${inode.number}`, `${inode.size} bytes in itself, where ${content.length} are`);
    }
    return content.subarray(0, inode.size);
  }

  async #attributes(
    inode: ExtInode,
    only: { readonly inInode?: boolean } = {},
  ): Promise<ExtendedAttribute[]> {
    const found: ExtendedAttribute[] = [];
    for await (const { name, value } of this.#attributeEntries(inode, only)) {
      found.push({ name, value: Buffer.isBuffer(value) ? value : await this.#valueOf(inode, value) });
    }
    return found;
  }

  async *#attributeEntries(
    inode: ExtInode,
    only: { readonly inInode?: boolean } = {},
  ): AsyncGenerator<AttributeEntry> {
    if (inode.extra.length >= 8 && inode.extra.readUInt32LE(0) === ATTRIBUTE_MAGIC) {
      yield* attributeEntries(inode.extra.subarray(4), 0, `inode ${inode.number}: attributes`);
    }
    if (inode.attributeBlock === 0 || only.inInode === true) return;
    const where = `inode ${inode.number}: attribute block ${inode.attributeBlock}`;
    const bytes = await this.#blocks.metadata(inode.attributeBlock, where);
    if (bytes.readUInt32LE(0) !== ATTRIBUTE_MAGIC || bytes.readUInt32LE(8) !== 1) {
      throw corrupt(where, 'it does not begin as one');
    }
    if (this.#hasChecksums) this.#verifyAttributes(bytes, inode.attributeBlock, where);
    yield* attributeEntries(bytes, ATTRIBUTE_ENTRIES_AT, where);
  }

  #verifyAttributes(bytes: Buffer, block: number, where: string): void {
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(BigInt(block));
    let crc = crc32c(crc32c(this.#superblock.checksumSeed, number), bytes, 0, 16);
    crc = crc32c(crc, Buffer.alloc(4));
    checkChecksum(where, bytes.readUInt32LE(16), crc32c(crc, bytes, 20));
  }

  /** A large value is the content of an inode that nothing else names. */
  async #valueOf(owner: ExtInode, value: { readonly inode: number; readonly size: number }): Promise<Buffer> {
    const inode = await this.stat(value.inode);
    if (!(inode.flags & INODE_FLAG.eaInode) || inode.type !== 'file' || inode.size !== value.size) {
      throw corrupt(
        `inode ${owner.number}: attributes`,
        `inode ${value.inode} is no value of ${value.size} bytes`,
      );
    }
    const bytes = Buffer.alloc(value.size);
    await this.read(inode, 0, bytes);
    return bytes;
  }
}

function refuseEncrypted(inode: ExtInode): void {
  if (!(inode.flags & INODE_FLAG.encrypted)) return;
  throw new CalveError('unsupported', `inode ${inode.number}, a ${inode.type}, is encrypted (fscrypt)`);
}
