import { AesBlocks } from './aes-blocks.ts';
import type { CipherSpec } from './cipher-spec.ts';
import type { SectorMode } from './sector-mode.ts';

/** ECB: each block for itself, wherever it lies. It hides little; QEMU offers it, so images of it can be read. */
export class EcbMode implements SectorMode {
  readonly #blocks: AesBlocks;

  constructor(_spec: CipherSpec, key: Uint8Array) {
    this.#blocks = new AesBlocks(key);
  }

  decrypt(bytes: Uint8Array): void {
    bytes.set(this.#blocks.decrypt(bytes));
  }

  encrypt(bytes: Uint8Array): void {
    bytes.set(this.#blocks.encrypt(bytes));
  }

  [Symbol.dispose](): void {
    this.#blocks[Symbol.dispose]();
  }
}
