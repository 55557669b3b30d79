import { hash } from 'node:crypto';
import { AesBlocks } from './aes-blocks.ts';
import type { CipherSpec, IvGenerator } from './cipher-spec.ts';
import { BLOCK, RUN_SECTORS } from './sector-mode.ts';

const HIGH = 2 ** 32;

/** The initialization vectors of sectors that lie one after the other. */
export class SectorIvs implements Disposable {
  readonly #ivgen: IvGenerator;
  /** Of `essiv` alone: AES under a hash of the key. */
  readonly #salted: AesBlocks | undefined;
  readonly #numbers = Buffer.alloc(RUN_SECTORS * BLOCK);

  /** @param key the whole key; not kept */
  constructor({ ivgen, ivgenHash }: CipherSpec, key: Uint8Array) {
    this.#ivgen = ivgen;
    if (ivgen !== 'essiv' || ivgenHash === undefined) return;
    const salt = hash(ivgenHash, key, 'buffer');
    this.#salted = new AesBlocks(salt);
    salt.fill(0);
  }

  /** 16 bytes a sector, `count` at most a run's. The bytes are this object's again at the next call. */
  of(sector: number, count: number): Uint8Array {
    const numbers = this.#numbers;
    const wide = this.#ivgen !== 'plain';
    for (let at = 0; at < count; at += 1) {
      const number = sector + at;
      numbers.writeUInt32LE(number % HIGH, at * BLOCK);
      if (wide) numbers.writeUInt32LE(Math.floor(number / HIGH), at * BLOCK + 4);
    }
    const ivs = numbers.subarray(0, count * BLOCK);
    return this.#salted ? this.#salted.encrypt(ivs) : ivs;
  }

  [Symbol.dispose](): void {
    this.#salted?.[Symbol.dispose]();
  }
}
