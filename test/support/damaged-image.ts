import { readFile, writeFile } from 'node:fs/promises';

const OFFSET = 0x00ff_ffff_ffff_fe00n;
export const COPIED: bigint = 1n << 63n;

/**
 * A qcow2 image as bytes, for tests that damage one: where its structures lie is read off the image itself, by the
 * specification and nothing else. Clusters are counted from the start of the file, entries from the start of a table.
 */
export class DamagedImage {
  readonly path: string;
  #bytes: Buffer;

  constructor(path: string, bytes: Buffer) {
    this.path = path;
    this.#bytes = bytes;
  }

  static async open(path: string): Promise<DamagedImage> {
    return new DamagedImage(path, await readFile(path));
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get clusterSize(): number {
    return 2 ** this.#bytes.readUInt32BE(20);
  }

  get refcountBits(): number {
    return this.#bytes.readUInt32BE(4) === 2 ? 16 : 2 ** this.#bytes.readUInt32BE(96);
  }

  /** Host clusters of the file. */
  get clusters(): number {
    return Math.ceil(this.#bytes.length / this.clusterSize);
  }

  get l1Offset(): number {
    return this.offset(40);
  }

  get refcountTableOffset(): number {
    return this.offset(48);
  }

  get snapshotsOffset(): number {
    return this.offset(64);
  }

  /** The 64 bits at a place in the file. */
  get(at: number): bigint {
    return this.#bytes.readBigUInt64BE(at);
  }

  set(at: number, value: bigint): void {
    this.#bytes.writeBigUInt64BE(value, at);
  }

  /** Changes the 64 bits at a place in the file. */
  change(at: number, change: (value: bigint) => bigint): void {
    this.set(at, BigInt.asUintN(64, change(this.get(at))));
  }

  /** The 64 bits at a place as a number. */
  offset(at: number): number {
    return Number(this.get(at));
  }

  /** Where an entry of the active L1 table lies. */
  l1Entry(index: number): number {
    return this.l1Offset + index * 8;
  }

  /** Where an entry of an L2 table of the active disk lies. */
  l2Entry(index: number, l1Index = 0): number {
    const entryBytes = this.#bytes.readUInt32BE(4) === 3 && (this.get(72) & 16n) !== 0n ? 16 : 8;
    return Number(this.get(this.l1Entry(l1Index)) & OFFSET) + index * entryBytes;
  }

  /** Where the data of a guest cluster lies. */
  dataOffset(index: number, l1Index = 0): number {
    return Number(this.get(this.l2Entry(index, l1Index)) & OFFSET);
  }

  /** Where a refcount table entry lies. */
  refcountTableEntry(index: number): number {
    return this.refcountTableOffset + index * 8;
  }

  setRefcount(cluster: number, value: number): void {
    const bits = this.refcountBits;
    const entries = (this.clusterSize * 8) / bits;
    const block = this.offset(this.refcountTableEntry(Math.floor(cluster / entries)));
    const at = (cluster % entries) * bits;
    const byte = block + Math.floor(at / 8);
    if (bits >= 8) {
      this.#bytes.fill(0, byte, byte + bits / 8);
      this.#bytes.writeUIntBE(value, byte + Math.max(0, bits / 8 - 6), Math.min(6, bits / 8));
    } else {
      const mask = ((1 << bits) - 1) << (at % 8);
      this.#bytes[byte] = ((this.#bytes[byte] ?? 0) & ~mask) | (value << (at % 8));
    }
  }

  /** Where the data of a header extension lies. */
  extension(type: number): number {
    for (let at = this.#bytes.readUInt32BE(100); ; ) {
      const found = this.#bytes.readUInt32BE(at);
      if (found === type) return at + 8;
      if (found === 0) throw new Error(`no header extension ${type.toString(16)}`);
      at += 8 + Math.ceil(this.#bytes.readUInt32BE(at + 4) / 8) * 8;
    }
  }

  /** Cuts the file off, or makes it longer. */
  resize(length: number): void {
    const bytes = Buffer.alloc(length);
    this.#bytes.copy(bytes);
    this.#bytes = bytes;
  }

  save(path: string = this.path): Promise<void> {
    return writeFile(path, this.#bytes);
  }
}
