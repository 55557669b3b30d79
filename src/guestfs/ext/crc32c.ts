/** Castagnoli's polynomial, reversed; tables for eight bytes at a time. */
const POLYNOMIAL = 0x82f63b78;
const TABLES = makeTables();

function makeTables(): Uint32Array {
  const tables = new Uint32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? POLYNOMIAL : 0);
    tables[byte] = value;
  }
  for (let at = 256; at < tables.length; at += 1) {
    const before = tables[at - 256] ?? 0;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] ?? 0);
  }
  return tables;
}

/**
 * CRC32C without the final inversion, as ext4 chains it: the checksum of one piece is the `seed` of the next, and the
 * first seed is 0xffffffff.
 */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end: number = bytes.length): number {
  let crc = seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (TABLES[1792 + (low & 0xff)] as number) ^
      (TABLES[1536 + ((low >>> 8) & 0xff)] as number) ^
      (TABLES[1280 + ((low >>> 16) & 0xff)] as number) ^
      (TABLES[1024 + (low >>> 24)] as number) ^
      (TABLES[768 + (bytes[at + 4] as number)] as number) ^
      (TABLES[512 + (bytes[at + 5] as number)] as number) ^
      (TABLES[256 + (bytes[at + 6] as number)] as number) ^
      (TABLES[bytes[at + 7] as number] as number);
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return crc >>> 0;
}

const NUMBER = Buffer.alloc(4);

/** As `crc32c`, of a 32-bit number as it lies on the disk. */
export function crc32cOfU32(seed: number, value: number): number {
  NUMBER.writeUInt32LE(value);
  return crc32c(seed, NUMBER);
}
