/**
 * Owns the encryption of guest data, LUKS and legacy AES; imports errors, and the qcow2 header. Here is what every image is
 * opened with; what most are not is imported from its own file, when it is wanted.
 */
export type { NewLuks } from './create-luks.ts';
export { encryptionArea, encryptionExtension } from './encryption-area.ts';
export { lockedCipher } from './locked-cipher.ts';
export type { LuksHeader } from './luks-header.ts';
export type { LuksOptions } from './luks-settings.ts';
export { type EncryptionOptions, openEncryption } from './open-encryption.ts';
export type { LuksSource } from './read-luks-header.ts';
export { SECTOR, type SectorCipher } from './sector-cipher.ts';
