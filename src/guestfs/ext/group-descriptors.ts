import type { Blocks } from './blocks.ts';
import { checkChecksum } from './corrupt.ts';
import { crc16 } from './crc16.ts';
import { crc32c, crc32cOfU32 } from './crc32c.ts';
import { INCOMPAT, RO_COMPAT } from './features.ts';
import type { Superblock } from './superblock.ts';

// Group descriptor (ext4 disk layout, "Block Group Descriptors"): 8 inode table, low · 0x1e checksum u16 ·
// 0x28 inode table, high (64bit)
const CHECKSUM_AT = 0x1e;
/** Positions that are remembered; a file system of 16 TiB has twice as many groups. */
const MOST_KEPT = 65_536;

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
    const { blockSize, descriptorSize, inodesPerGroup, inodeSize, incompat } = this.#superblock;
    const where = `group descriptor ${group}`;
    const perBlock = blockSize / descriptorSize;
    const block = this.#blockOf(Math.floor(group / perBlock));
    this.#blocks.check(block, 1, where);
    const bytes = await this.#blocks.tableEntry(
      block * blockSize + (group % perBlock) * descriptorSize,
      descriptorSize,
    );
    this.#verify(where, group, bytes);
    const high = incompat & INCOMPAT.is64bit ? bytes.readUInt32LE(0x28) * 2 ** 32 : 0;
    const table = bytes.readUInt32LE(8) + high;
    this.#blocks.check(table, Math.ceil((inodesPerGroup * inodeSize) / blockSize), `${where}: inode table`);
    if (this.#tables.size >= MOST_KEPT) this.#tables.clear();
    this.#tables.set(group, table);
    return table;
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
