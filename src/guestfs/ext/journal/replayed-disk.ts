import { checkRange, type Disk } from '../../../disk/index.ts';
import { JOURNAL_MAGIC } from './journal-superblock.ts';
import type { LoggedBlock } from './read-journal.ts';

/** A file system as it will be once its journal is replayed: what the log holds is read from there. */
export class ReplayedDisk implements Disk {
  readonly size: number;
  readonly #disk: Disk;
  readonly #blockSize: number;
  readonly #logged: ReadonlyMap<number, LoggedBlock>;

  /** @param disk stays open */
  constructor(disk: Disk, blockSize: number, logged: ReadonlyMap<number, LoggedBlock>) {
    this.size = disk.size;
    this.#disk = disk;
    this.#blockSize = blockSize;
    this.#logged = logged;
  }

  async read(into: Uint8Array, offset: number): Promise<void> {
    checkRange(this, offset, into.length);
    await this.#disk.read(into, offset);
    const last = Math.floor((offset + into.length - 1) / this.#blockSize);
    for (let block = Math.floor(offset / this.#blockSize); block <= last; block += 1) {
      const logged = this.#logged.get(block);
      if (logged !== undefined) await this.#readLogged(into, offset, block * this.#blockSize, logged);
    }
  }

  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}

  async #readLogged(into: Uint8Array, offset: number, blockAt: number, logged: LoggedBlock): Promise<void> {
    const start = Math.max(offset, blockAt);
    const end = Math.min(offset + into.length, blockAt + this.#blockSize);
    const piece = into.subarray(start - offset, end - offset);
    await this.#disk.read(piece, logged.offset + start - blockAt);
    if (!logged.escaped) return;
    const magic = Buffer.alloc(4);
    magic.writeUInt32BE(JOURNAL_MAGIC);
    for (let at = start - blockAt; at < Math.min(4, end - blockAt); at += 1) {
      piece[at - (start - blockAt)] = magic[at] ?? 0;
    }
  }
}
