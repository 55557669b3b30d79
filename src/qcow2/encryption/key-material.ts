import { KEY_SLOT_ALIGNMENT, KEY_SLOTS, STRIPES } from './luks-fields.ts';
import { SECTOR } from './sector-cipher.ts';

/** The bytes of a split master key, up to the end of its last sector. */
export function materialBytes(keyBytes: number): number {
  return Math.ceil((keyBytes * STRIPES) / SECTOR) * SECTOR;
}

/** What a key slot takes for them. */
export function keySlotBytes(keyBytes: number): number {
  return Math.ceil(materialBytes(keyBytes) / KEY_SLOT_ALIGNMENT) * KEY_SLOT_ALIGNMENT;
}

/** What a LUKS header takes with all its slots. */
export function materialArea(keyBytes: number): number {
  return KEY_SLOT_ALIGNMENT + KEY_SLOTS * keySlotBytes(keyBytes);
}
