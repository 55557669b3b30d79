/** What tweaks count, and what is encrypted as a whole: bytes. */
export const SECTOR = 512;

/** Where bytes lie, in bytes: on the virtual disk, and in the file that holds guest data. Both whole sectors. */
export interface SectorPosition {
  readonly host: number;
  readonly guest: number;
}

/**
 * What the reader and the write path need of an encrypted image: whole sectors turned in place, now. Which of the two
 * offsets counts, and how, is the cipher's affair (trap 33). Disposing of it wipes its keys.
 */
export interface SectorCipher extends Disposable {
  /** @throws CalveError `out-of-range` for parts of sectors; `closed` */
  decrypt(bytes: Uint8Array, position: SectorPosition): void;
  /** @throws CalveError `out-of-range` for parts of sectors; `closed` */
  encrypt(bytes: Uint8Array, position: SectorPosition): void;
}
