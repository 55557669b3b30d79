/** Owns the encryption of guest data, LUKS and legacy AES; imports errors, and the qcow2 header. */
export { createLuks, type NewLuks } from './create-luks.ts';
export { type EncryptionArea, encryptionArea, encryptionExtension } from './encryption-area.ts';
export { legacyAesCipher } from './legacy-aes-cipher.ts';
export type { KeySlot, LuksHeader } from './luks-header.ts';
export type { LuksOptions } from './luks-settings.ts';
export { type EncryptionOptions, openEncryption } from './open-encryption.ts';
export { type LuksSource, readLuksHeader } from './read-luks-header.ts';
export { SECTOR, type SectorCipher, type SectorPosition } from './sector-cipher.ts';
