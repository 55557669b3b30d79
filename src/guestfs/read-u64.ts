/**
 * An unsigned 64-bit little-endian number. One above 2^53 loses its lowest bits, and so lies outside of every disk:
 * whoever takes it for an offset or a count must hold it against the size of the disk in any case.
 */
export function readU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * 2 ** 32 + bytes.readUInt32LE(offset);
}
