import { endianness } from 'node:os';
import { AesBlocks } from './aes-blocks.ts';
import type { CipherSpec } from './cipher-spec.ts';
import { SECTOR } from './sector-cipher.ts';
import { SectorIvs } from './sector-ivs.ts';
import { BLOCK, RUN, RUN_SECTORS, type SectorMode } from './sector-mode.ts';
import { type WordBuffer, wordBuffer } from './word-buffer.ts';

const SECTOR_WORDS = SECTOR / 4;
const BLOCK_WORDS = BLOCK / 4;
/** x^128 = x^7 + x^2 + x + 1. */
const REDUCTION = 0x87;
const BIG_ENDIAN = endianness() === 'BE';

/**
 * XTS (IEEE 1619): a block is combined with its tweak, before and after AES. The tweak of a sector's first block is its
 * number encrypted under the key's second half; each further one is the one before, times x in GF(2^128).
 *
 * OpenSSL has XTS, and takes one sector a call, with the keys set up anew. Combining with tweaks here costs less than
 * that, because one call then encrypts the blocks of a whole run.
 */
export class XtsMode implements SectorMode {
  readonly #blocks: AesBlocks;
  readonly #tweakBlocks: AesBlocks;
  readonly #ivs: SectorIvs;
  readonly #data = wordBuffer(RUN);
  readonly #tweaks = wordBuffer(RUN_SECTORS * BLOCK);

  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#blocks = new AesBlocks(key.subarray(0, key.length / 2));
    this.#tweakBlocks = new AesBlocks(key.subarray(key.length / 2));
    this.#ivs = new SectorIvs(spec, key);
  }

  decrypt(bytes: Uint8Array, sector: number): void {
    this.#whiten(bytes, sector);
    this.#finish(bytes, this.#blocks.decrypt(this.#data.bytes.subarray(0, bytes.length)));
  }

  encrypt(bytes: Uint8Array, sector: number): void {
    this.#whiten(bytes, sector);
    this.#finish(bytes, this.#blocks.encrypt(this.#data.bytes.subarray(0, bytes.length)));
  }

  [Symbol.dispose](): void {
    for (const part of [this.#blocks, this.#tweakBlocks, this.#ivs]) part[Symbol.dispose]();
    for (const { bytes } of [this.#data, this.#tweaks]) bytes.fill(0);
  }

  #whiten(bytes: Uint8Array, sector: number): void {
    const count = bytes.length / SECTOR;
    this.#tweaks.bytes.set(this.#tweakBlocks.encrypt(this.#ivs.of(sector, count)));
    if (BIG_ENDIAN) swapWords(this.#tweaks);
    this.#data.bytes.set(bytes);
    this.#combine(count);
  }

  #finish(bytes: Uint8Array, result: Uint8Array): void {
    this.#data.bytes.set(result);
    this.#combine(bytes.length / SECTOR);
    bytes.set(this.#data.bytes.subarray(0, bytes.length));
  }

  #combine(sectors: number): void {
    if (BIG_ENDIAN) swapWords(this.#data);
    combineWithTweaks(this.#data.words, this.#tweaks.words, sectors);
    if (BIG_ENDIAN) swapWords(this.#data);
  }
}

/**
 * Exclusive or of `data` and its tweaks, of which `firstTweaks` has that of each sector's first block. A tweak is a
 * number of 128 bits, low word first. To work them out twice is faster than to keep them.
 */
function combineWithTweaks(data: Int32Array, firstTweaks: Int32Array, sectors: number): void {
  for (let sector = 0; sector < sectors; sector += 1) {
    let a = firstTweaks[sector * BLOCK_WORDS] ?? 0;
    let b = firstTweaks[sector * BLOCK_WORDS + 1] ?? 0;
    let c = firstTweaks[sector * BLOCK_WORDS + 2] ?? 0;
    let d = firstTweaks[sector * BLOCK_WORDS + 3] ?? 0;
    const end = (sector + 1) * SECTOR_WORDS;
    for (let at = sector * SECTOR_WORDS; at < end; at += BLOCK_WORDS) {
      data[at] = (data[at] ?? 0) ^ a;
      data[at + 1] = (data[at + 1] ?? 0) ^ b;
      data[at + 2] = (data[at + 2] ?? 0) ^ c;
      data[at + 3] = (data[at + 3] ?? 0) ^ d;
      const carry = (d >> 31) & REDUCTION;
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ carry;
    }
  }
}

/** A processor that has the high byte first sees each word the other way round. */
function swapWords({ bytes }: WordBuffer): void {
  Buffer.from(bytes.buffer).swap32();
}
