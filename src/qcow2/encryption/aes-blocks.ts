import { type Cipheriv, createCipheriv, createDecipheriv, type Decipheriv } from 'node:crypto';

/**
 * AES, each block for itself. Setting a key up costs a hundred times what a block does, and a call into OpenSSL fifty
 * times: so the key is set up once, and a call takes any number of blocks.
 */
export class AesBlocks implements Disposable {
  readonly #encryptor: Cipheriv;
  readonly #decryptor: Decipheriv;

  /** @param key 16, 24 or 32 bytes, not kept */
  constructor(key: Uint8Array) {
    const name = `aes-${key.length * 8}-ecb`;
    // Blocks without padding come out in the call that they went in.
    this.#encryptor = createCipheriv(name, key, null).setAutoPadding(false);
    this.#decryptor = createDecipheriv(name, key, null).setAutoPadding(false);
  }

  /** Of as many bytes as `blocks`, a multiple of 16. */
  encrypt(blocks: Uint8Array): Uint8Array {
    return this.#encryptor.update(blocks);
  }

  /** As `encrypt`, the other way. */
  decrypt(blocks: Uint8Array): Uint8Array {
    return this.#decryptor.update(blocks);
  }

  /** Ends both, at which OpenSSL wipes the keys. Once. */
  [Symbol.dispose](): void {
    this.#encryptor.final();
    this.#decryptor.final();
  }
}
