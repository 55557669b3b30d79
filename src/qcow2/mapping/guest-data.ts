import { SECTOR, type SectorCipher } from '../encryption/index.ts';
import type { ImageFile } from '../image-file.ts';

/**
 * Where the guest's clusters are stored, as they are read and written at their host offsets. The one place that knows
 * whether they are encrypted. Compressed clusters never are.
 */
export interface GuestData {
  /** What can be written alone, in bytes: an unaligned write must be filled up to it. */
  readonly unit: number;
  /** Fills `into`; past the end of the file with zeros (trap 19). */
  read(into: Uint8Array, host: number, guest: number): Promise<void>;
  /** As `read`, now; false when that cannot be done now. */
  tryRead(into: Uint8Array, host: number, guest: number): boolean;
  /** Whole units. `from` stays as it is. */
  write(from: Uint8Array, host: number, guest: number): Promise<void>;
}

/** Guest data in the image file or a data file, encrypted where there is a cipher. */
export function guestData(file: ImageFile, cipher: SectorCipher | undefined): GuestData {
  return cipher === undefined ? new PlainData(file) : new EncryptedData(file, cipher);
}

class PlainData implements GuestData {
  readonly unit = 1;
  readonly #file: ImageFile;

  constructor(file: ImageFile) {
    this.#file = file;
  }

  read(into: Uint8Array, host: number): Promise<void> {
    return this.#file.read(into, host);
  }

  tryRead(into: Uint8Array, host: number): boolean {
    return this.#file.tryRead(into, host);
  }

  write(from: Uint8Array, host: number): Promise<void> {
    return this.#file.write(from, host);
  }
}

/** Section "Full disk encryption header pointer": whole sectors, each by its place. */
class EncryptedData implements GuestData {
  readonly unit = SECTOR;
  readonly #file: ImageFile;
  readonly #cipher: SectorCipher;

  constructor(file: ImageFile, cipher: SectorCipher) {
    this.#file = file;
    this.#cipher = cipher;
  }

  async read(into: Uint8Array, host: number, guest: number): Promise<void> {
    const before = host % SECTOR;
    const sectors = isWhole(into, before) ? into : Buffer.alloc(roundUp(before + into.length));
    await this.#file.read(sectors, host - before);
    this.#decrypt(sectors, host - before, guest - before);
    if (sectors !== into) into.set(sectors.subarray(before, before + into.length));
  }

  tryRead(into: Uint8Array, host: number, guest: number): boolean {
    if (!isWhole(into, host % SECTOR) || !this.#file.tryRead(into, host)) return false;
    this.#decrypt(into, host, guest);
    return true;
  }

  write(from: Uint8Array, host: number, guest: number): Promise<void> {
    const sectors = Buffer.from(from);
    this.#cipher.encrypt(sectors, { host, guest });
    return this.#file.write(sectors, host);
  }

  /** What lies past the end of the file is zeros already, and no sector that somebody encrypted. */
  #decrypt(sectors: Uint8Array, host: number, guest: number): void {
    const there = Math.max(0, Math.min(sectors.length, roundUp(this.#file.end - host)));
    this.#cipher.decrypt(sectors.subarray(0, there), { host, guest });
  }
}

function isWhole(bytes: Uint8Array, before: number): boolean {
  return before === 0 && bytes.length % SECTOR === 0;
}

function roundUp(length: number): number {
  return Math.ceil(length / SECTOR) * SECTOR;
}
