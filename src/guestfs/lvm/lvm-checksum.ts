import { crc32 } from 'node:zlib';

/** Where LVM begins; the polynomial is zip's, without the inversions at its start and end. */
const INITIAL = 0xf597a6cf;

/** The checksum of labels and metadata of LVM2. */
export function lvmChecksum(bytes: Uint8Array): number {
  return (crc32(bytes, ~INITIAL >>> 0) ^ 0xffffffff) >>> 0;
}
