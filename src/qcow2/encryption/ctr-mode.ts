import { AesBlocks } from './aes-blocks.ts';
import type { CipherSpec } from './cipher-spec.ts';
import { SECTOR } from './sector-cipher.ts';
import { SectorIvs } from './sector-ivs.ts';
import { BLOCK, RUN, type SectorMode } from './sector-mode.ts';
import { wordBuffer, xorInto } from './word-buffer.ts';

/** CTR: a block is combined with the encrypted sum of the sector's IV, high byte first, and the block's number. */
export class CtrMode implements SectorMode {
  readonly #blocks: AesBlocks;
  readonly #ivs: SectorIvs;
  readonly #counters = Buffer.alloc(RUN);
  readonly #data = wordBuffer(RUN);
  readonly #stream = wordBuffer(RUN);

  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#blocks = new AesBlocks(key);
    this.#ivs = new SectorIvs(spec, key);
  }

  decrypt(bytes: Uint8Array, sector: number): void {
    const ivs = this.#ivs.of(sector, bytes.length / SECTOR);
    for (let at = 0, iv = 0; at < bytes.length; at += SECTOR, iv += BLOCK) {
      this.#counters.set(ivs.subarray(iv, iv + BLOCK), at);
      for (let block = at + BLOCK; block < at + SECTOR; block += BLOCK) {
        this.#counters.copyWithin(block, block - BLOCK, block);
        increment(this.#counters, block);
      }
    }
    this.#stream.bytes.set(this.#blocks.encrypt(this.#counters.subarray(0, bytes.length)));
    this.#data.bytes.set(bytes);
    xorInto(this.#data, this.#stream, bytes.length);
    bytes.set(this.#data.bytes.subarray(0, bytes.length));
  }

  /** The same again. */
  encrypt(bytes: Uint8Array, sector: number): void {
    this.decrypt(bytes, sector);
  }

  [Symbol.dispose](): void {
    this.#blocks[Symbol.dispose]();
    this.#ivs[Symbol.dispose]();
    this.#counters.fill(0);
    for (const { bytes } of [this.#data, this.#stream]) bytes.fill(0);
  }
}

/** Adds one to the block at `at`, a number of 128 bits, high byte first. */
function increment(bytes: Uint8Array, at: number): void {
  for (let byte = at + BLOCK - 1; byte >= at; byte -= 1) {
    bytes[byte] = ((bytes[byte] ?? 0) + 1) & 0xff;
    if (bytes[byte] !== 0) return;
  }
}
