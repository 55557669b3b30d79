import { SECTOR } from './sector-cipher.ts';

/** The most bytes that a mode is given at once: larger pieces gain nothing, and its buffers are as large. */
export const RUN: number = 32 * 1024;
export const RUN_SECTORS: number = RUN / SECTOR;

/** AES: the bytes of a block. */
export const BLOCK = 16;

/** A way to encrypt sectors by a block cipher. Up to `RUN` bytes, whole sectors, in place; the first is number `sector`. */
export interface SectorMode extends Disposable {
  decrypt(bytes: Uint8Array, sector: number): void;
  encrypt(bytes: Uint8Array, sector: number): void;
}
