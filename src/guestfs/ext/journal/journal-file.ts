import type { Disk } from '../../../disk/index.ts';
import { corrupt } from '../corrupt.ts';
import type { ExtTree } from '../ext-tree.ts';

/** A journal of ordinary size lies in a few pieces. */
const MOST_EXTENTS = 65_536;

interface Piece {
  readonly first: number;
  readonly count: number;
  /** Bytes from the start of the file system. */
  readonly offset: number;
}

/** The blocks of the journal's inode. */
export class JournalFile {
  readonly blocks: number;
  readonly #disk: Disk;
  readonly #blockSize: number;
  readonly #pieces: readonly Piece[];

  private constructor(disk: Disk, blockSize: number, pieces: readonly Piece[]) {
    this.#disk = disk;
    this.#blockSize = blockSize;
    this.#pieces = pieces;
    const last = pieces.at(-1);
    this.blocks = last === undefined ? 0 : last.first + last.count;
  }

  /**
   * Learns where the journal lies.
   * @param tree of the file system as it lies on the disk, which begins at byte 0 for it
   * @throws CalveError `corrupt`
   */
  static async open(disk: Disk, tree: ExtTree, inode: number, blockSize: number): Promise<JournalFile> {
    const pieces: Piece[] = [];
    const where = `journal, inode ${inode}`;
    for await (const { offset, length, diskOffset } of tree.extents(await tree.stat(inode))) {
      if (diskOffset === null) throw corrupt(where, `no block at byte ${offset}`);
      if (pieces.length === MOST_EXTENTS) throw corrupt(where, `more than ${MOST_EXTENTS} extents`);
      pieces.push({ first: offset / blockSize, count: length / blockSize, offset: diskOffset });
    }
    return new JournalFile(disk, blockSize, pieces);
  }

  /** A block, in a buffer of its own. */
  async read(block: number): Promise<Buffer> {
    const into = Buffer.allocUnsafe(this.#blockSize);
    const offset = this.offsetOf(block);
    if (this.#disk.tryRead?.(into, offset) !== true) await this.#disk.read(into, offset);
    return into;
  }

  /** Where a block lies, in bytes from the start of the file system. */
  offsetOf(block: number): number {
    let low = 0;
    for (let high = this.#pieces.length; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if ((this.#pieces[middle]?.first ?? 0) <= block) low = middle;
      else high = middle;
    }
    const piece = this.#pieces[low];
    if (piece === undefined || block >= piece.first + piece.count)
      throw corrupt('journal', `no block ${block}`);
    return piece.offset + (block - piece.first) * this.#blockSize;
  }
}
