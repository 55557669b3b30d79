import { CalveError } from '../../errors/index.ts';
import { CbcMode } from './cbc-mode.ts';
import type { CipherSpec } from './cipher-spec.ts';
import { CtrMode } from './ctr-mode.ts';
import { EcbMode } from './ecb-mode.ts';
import { SECTOR, type SectorCipher, type SectorPosition } from './sector-cipher.ts';
import { RUN, RUN_SECTORS, type SectorMode } from './sector-mode.ts';
import { XtsMode } from './xts-mode.ts';

const MODES = { xts: XtsMode, cbc: CbcMode, ctr: CtrMode, ecb: EcbMode } as const;

/**
 * A cipher under a key.
 *
 * @param key `spec.keyBytes` bytes; not kept, so the caller can wipe it
 * @param counted the offset whose sectors are counted (trap 33)
 */
export function openSectorCipher(
  spec: CipherSpec,
  key: Uint8Array,
  counted: keyof SectorPosition,
): SectorCipher {
  return new ModeCipher(new MODES[spec.mode](spec, key), counted);
}

/** Splits into runs, checks, and counts sectors; a mode does the rest. */
class ModeCipher implements SectorCipher {
  #mode: SectorMode | undefined;
  readonly #counted: keyof SectorPosition;

  constructor(mode: SectorMode, counted: keyof SectorPosition) {
    this.#mode = mode;
    this.#counted = counted;
  }

  decrypt(bytes: Uint8Array, position: SectorPosition): void {
    const mode = this.#usable();
    let sector = this.#firstSector(bytes, position);
    for (let at = 0; at < bytes.length; at += RUN, sector += RUN_SECTORS) {
      mode.decrypt(bytes.subarray(at, at + RUN), sector);
    }
  }

  encrypt(bytes: Uint8Array, position: SectorPosition): void {
    const mode = this.#usable();
    let sector = this.#firstSector(bytes, position);
    for (let at = 0; at < bytes.length; at += RUN, sector += RUN_SECTORS) {
      mode.encrypt(bytes.subarray(at, at + RUN), sector);
    }
  }

  [Symbol.dispose](): void {
    this.#mode?.[Symbol.dispose]();
    this.#mode = undefined;
  }

  #usable(): SectorMode {
    if (!this.#mode) throw new CalveError('closed', 'the cipher was closed before');
    return this.#mode;
  }

  #firstSector(bytes: Uint8Array, position: SectorPosition): number {
    const sector = position[this.#counted] / SECTOR;
    if (Number.isSafeInteger(sector) && sector >= 0 && bytes.length % SECTOR === 0) return sector;
    throw new CalveError(
      'out-of-range',
      `expected whole sectors of ${SECTOR} bytes, got ${bytes.length} bytes at ${this.#counted} offset ${position[this.#counted]}`,
    );
  }
}
