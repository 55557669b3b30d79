import { type Cipheriv, createCipheriv } from 'node:crypto';
import { AesBlocks } from './aes-blocks.ts';
import type { CipherSpec } from './cipher-spec.ts';
import { SECTOR } from './sector-cipher.ts';
import { SectorIvs } from './sector-ivs.ts';
import { BLOCK, RUN, type SectorMode } from './sector-mode.ts';
import { wordBuffer, xorInto } from './word-buffer.ts';

/** CBC: a block is combined with the encrypted block before it in the sector, the first with the sector's IV. */
export class CbcMode implements SectorMode {
  readonly #blocks: AesBlocks;
  readonly #chained: Cipheriv;
  /** The last block that left `chained`, which combines it with the next one. */
  readonly #last = new Uint8Array(BLOCK);
  readonly #ivs: SectorIvs;
  readonly #data = wordBuffer(RUN);
  readonly #before = wordBuffer(RUN);

  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#blocks = new AesBlocks(key);
    this.#chained = createCipheriv(`aes-${key.length * 8}-cbc`, key, this.#last).setAutoPadding(false);
    this.#ivs = new SectorIvs(spec, key);
  }

  /** All blocks of a run in one call, because what each is combined with is known. */
  decrypt(bytes: Uint8Array, sector: number): void {
    const before = this.#before.bytes;
    before.set(bytes.subarray(0, bytes.length - BLOCK), BLOCK);
    const ivs = this.#ivs.of(sector, bytes.length / SECTOR);
    for (let at = 0, iv = 0; at < bytes.length; at += SECTOR, iv += BLOCK) {
      before.set(ivs.subarray(iv, iv + BLOCK), at);
    }
    this.#data.bytes.set(this.#blocks.decrypt(bytes));
    xorInto(this.#data, this.#before, bytes.length);
    bytes.set(this.#data.bytes.subarray(0, bytes.length));
  }

  /** One call a sector: the chain goes on from the sector before, so its last block is taken out again. */
  encrypt(bytes: Uint8Array, sector: number): void {
    const ivs = this.#ivs.of(sector, bytes.length / SECTOR);
    for (let at = 0, iv = 0; at < bytes.length; at += SECTOR, iv += BLOCK) {
      const part = bytes.subarray(at, at + SECTOR);
      for (let byte = 0; byte < BLOCK; byte += 1) {
        part[byte] = (part[byte] ?? 0) ^ (ivs[iv + byte] ?? 0) ^ (this.#last[byte] ?? 0);
      }
      part.set(this.#chained.update(part));
      this.#last.set(part.subarray(SECTOR - BLOCK));
    }
  }

  [Symbol.dispose](): void {
    this.#blocks[Symbol.dispose]();
    this.#chained.final();
    this.#ivs[Symbol.dispose]();
    for (const { bytes } of [this.#data, this.#before]) bytes.fill(0);
  }
}
