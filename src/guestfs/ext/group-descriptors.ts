import type { Blocks } from './blocks.ts';
import { checkChecksum } from './corrupt.ts';
import { crc16 } from './crc16.ts';
import { crc32c, crc32cOfU32 } from './crc32c.ts';
import { INCOMPAT, RO_COMPAT } from './features.ts';
import type { Superblock } from './superblock.ts';

// Group descriptor (ext4 disk layout, "Block Group Descriptors"): 0 block bitmap · 4 inode bitmap · 8 inode table (low
//   halves) · 0x12 flags u16 · 0x1c inodes at the end of the table that were never used u16 · 0x1e checksum u16;
//   0x20, 0x24, 0x28, 0x32 the high halves (64bit)
const CHECKSUM_AT = 0x1e;
/** Positions that are remembered; a file system of 16 TiB has twice as many groups. */
const MOST_KEPT = 65_536;

/** Flags: the bitmap of inodes was never written; so the one of blocks. */
const INODE_UNINIT = 1;
const BLOCK_UNINIT = 2;

/** What a group's descriptor says. Blocks are counted from the start of the file system; those of bitmaps are not checked. */
export interface GroupPlaces {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  /** Inodes at the start of the table that may have been used; those behind them need not be looked at. */
  readonly usedInodes: number;
  /** Whether the bitmaps were written; one that was not counts as empty. */
  readonly hasInodeBitmap: boolean;
  readonly hasBlockBitmap: boolean;
}

/** Where each group's part of the inode table lies. Descriptors are read and checked when they are first asked for. */
export class GroupDescriptors {
  readonly #superblock: Superblock;
  readonly #blocks: Blocks;
  readonly #tables = new Map<number, number>();

  constructor(superblock: Superblock, blocks: Blocks) {
    this.#superblock = superblock;
    this.#blocks = blocks;
  }

  /** The first block of a group's inode table. @throws CalveError `corrupt` */
  async inodeTable(group: number): Promise<number> {
    const known = this.#tables.get(group);
    if (known !== undefined) return known;
    const { inodeTable } = await this.places(group);
    if (this.#tables.size >= MOST_KEPT) this.#tables.clear();
    this.#tables.set(group, inodeTable);
    return inodeTable;
  }

  /** All that a group's descriptor says. @throws CalveError `corrupt` */
  async places(group: number): Promise<GroupPlaces> {
    const { blockSize, descriptorSize, inodesPerGroup, inodeSize, incompat, roCompat } = this.#superblock;
    const where = `group descriptor ${group}`;
    const perBlock = blockSize / descriptorSize;
    const block = this.#blockOf(Math.floor(group / perBlock));
    this.#blocks.check(block, 1, where);
    const bytes = await this.#blocks.tableEntry(
      block * blockSize + (group % perBlock) * descriptorSize,
      descriptorSize,
    );
    this.#verify(where, group, bytes);
    const isWide = (incompat & INCOMPAT.is64bit) !== 0;
    const place = (low: number): number =>
      bytes.readUInt32LE(low) + (isWide ? bytes.readUInt32LE(low + 0x20) * 2 ** 32 : 0);
    const inodeTable = place(8);
    this.#blocks.check(
      inodeTable,
      Math.ceil((inodesPerGroup * inodeSize) / blockSize),
      `${where}: inode table`,
    );
    const keepsCount = (roCompat & (RO_COMPAT.gdtCsum | RO_COMPAT.metadataCsum)) !== 0;
    const flags = keepsCount ? bytes.readUInt16LE(0x12) : 0;
    const unused = keepsCount
      ? bytes.readUInt16LE(0x1c) + (isWide ? bytes.readUInt16LE(0x32) * 0x10000 : 0)
      : 0;
    const hasInodeBitmap = (flags & INODE_UNINIT) === 0;
    return {
      blockBitmap: place(0),
      inodeBitmap: place(4),
      inodeTable,
      usedInodes: hasInodeBitmap ? Math.max(0, inodesPerGroup - unused) : 0,
      hasInodeBitmap,
      hasBlockBitmap: (flags & BLOCK_UNINIT) === 0,
    };
  }

  /** The copies of the superblock and of descriptors that a group begins with: its first blocks, how many. */
  copiesIn(group: number): { readonly first: number; readonly count: number } {
    const {
      blockSize,
      descriptorSize,
      blocksPerGroup,
      firstDataBlock,
      firstMetaBg,
      groups,
      reservedDescriptorBlocks,
    } = this.#superblock;
    const perBlock = blockSize / descriptorSize;
    const all = Math.ceil(groups / perBlock);
    const first = group === 0 ? 0 : firstDataBlock + group * blocksPerGroup;
    let count = hasSuperblock(this.#superblock, group) ? 1 : 0;
    if (count === 1) count += Math.min(all, firstMetaBg) + reservedDescriptorBlocks;
    // Of each set of groups whose descriptors fill a block the first two and the last have it.
    const at = group % perBlock;
    if (Math.floor(group / perBlock) >= firstMetaBg && (at < 2 || at === perBlock - 1)) count += 1;
    // What precedes the superblock of a file system with small blocks.
    return { first, count: group === 0 ? count + 2 : count };
  }

  /** The block that holds the `index`-th block of descriptors. */
  #blockOf(index: number): number {
    const { blockSize, descriptorSize, blocksPerGroup, firstDataBlock, firstMetaBg } = this.#superblock;
    // The superblock of a file system with blocks of 1 KiB fills block 1, also where block 0 counts as data (bigalloc).
    const afterSuperblock = blockSize === 1024 && firstDataBlock === 0 ? 2 : 1;
    if (index < firstMetaBg) return firstDataBlock + afterSuperblock + index;
    const group = index * (blockSize / descriptorSize);
    const behind = group === 0 ? afterSuperblock : hasSuperblock(this.#superblock, group) ? 1 : 0;
    return firstDataBlock + group * blocksPerGroup + behind;
  }

  #verify(where: string, group: number, bytes: Buffer): void {
    const { roCompat, checksumSeed, uuid, incompat } = this.#superblock;
    const stored = bytes.readUInt16LE(CHECKSUM_AT);
    const after = bytes.subarray(CHECKSUM_AT + 2);
    if (roCompat & RO_COMPAT.metadataCsum) {
      let crc = crc32cOfU32(checksumSeed, group);
      crc = crc32c(crc, bytes, 0, CHECKSUM_AT);
      crc = crc32c(crc, Buffer.alloc(2));
      checkChecksum(where, stored, crc32c(crc, after) & 0xffff);
    } else if (roCompat & RO_COMPAT.gdtCsum) {
      const number = Buffer.alloc(4);
      number.writeUInt32LE(group);
      const crc = crc16(crc16(crc16(0xffff, uuid), number), bytes.subarray(0, CHECKSUM_AT));
      checkChecksum(where, stored, incompat & INCOMPAT.is64bit ? crc16(crc, after) : crc);
    }
  }
}

/** Whether a group begins with a copy of the superblock: all do, but with `sparse_super` 0, 1 and powers of 3, 5, 7. */
function hasSuperblock({ backupGroups, roCompat }: Superblock, group: number): boolean {
  if (group === 0) return true;
  if (backupGroups.length > 0) return backupGroups.includes(group);
  if (group === 1 || !(roCompat & RO_COMPAT.sparseSuper)) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}
