/** Owns the encryption of guest data, LUKS and legacy AES; imports errors, and the qcow2 header. */
export { createLuks, type NewLuks } from './create-luks.ts';
export { encryptionArea, encryptionExtension } from './encryption-area.ts';
export type { LuksOptions } from './luks-settings.ts';
export { type EncryptionOptions, openEncryption } from './open-encryption.ts';
export type { LuksSource } from './read-luks-header.ts';
export { SECTOR, type SectorCipher } from './sector-cipher.ts';
