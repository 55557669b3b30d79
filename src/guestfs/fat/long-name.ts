// A part of a long name (FAT specification, "Long File Name Implementation"): 0 order u8, of the last part with 0x40 ·
//   1 five units of UTF-16 · 11 attributes, 0x0f · 13 checksum of the short name u8 · 14 six units · 28 two units. Parts
//   stand before the short entry, the last one first. A zero unit ends a name that does not fill its last part.
const UNITS_AT: readonly (readonly [at: number, units: number])[] = [
  [1, 5],
  [14, 6],
  [28, 2],
];
const UNITS = 13;
export const LONG_ATTRIBUTES = 0x0f;
const LAST_PART = 0x40;
/** Units of UTF-16 in a name. */
export const LONGEST_NAME = 255;
const MOST_PARTS = 20;

/** Gathers the parts of a long name as they are met, the last one first. */
export class LongName {
  /** Parts that are still to come before the short entry. */
  #left = 0;
  #checksum = -1;
  #units = Buffer.alloc(0);

  /** A part that does not go on with those before it begins anew or, when it is no last one, is an orphan. */
  add(part: Buffer): void {
    const order = part.readUInt8(0);
    const checksum = part.readUInt8(13);
    const number = order & ~LAST_PART;
    if (order & LAST_PART && number >= 1 && number <= MOST_PARTS) {
      this.#left = number;
      this.#checksum = checksum;
      this.#units = Buffer.alloc(number * UNITS * 2);
    } else if (number !== this.#left || checksum !== this.#checksum || number === 0) {
      this.clear();
      return;
    }
    this.#left -= 1;
    let to = this.#left * UNITS * 2;
    for (const [at, units] of UNITS_AT) {
      part.copy(this.#units, to, at, at + units * 2);
      to += units * 2;
    }
  }

  /** The whole name in UTF-16, when it is one of this short name; undefined: there is none, or parts are orphans. */
  of(shortName: Buffer): Buffer | undefined {
    if (this.#left !== 0 || this.#units.length === 0 || this.#checksum !== shortChecksum(shortName))
      return undefined;
    for (let at = 0; at < this.#units.length; at += 2) {
      if (this.#units.readUInt16LE(at) === 0) return this.#units.subarray(0, at);
    }
    return this.#units.length / 2 > LONGEST_NAME ? undefined : this.#units;
  }

  clear(): void {
    this.#left = 0;
    this.#checksum = -1;
    this.#units = Buffer.alloc(0);
  }
}

/** The entries of a long name, as they stand before the short one. */
export function longNameParts(name: string, shortName: Buffer): Buffer {
  const count = Math.ceil(name.length / UNITS);
  const parts = Buffer.alloc(count * 32);
  const units = Buffer.alloc(count * UNITS * 2, 0xff);
  units.write(name, 'utf16le');
  if (name.length < count * UNITS) units.writeUInt16LE(0, name.length * 2);
  const checksum = shortChecksum(shortName);
  for (let number = count; number >= 1; number -= 1) {
    const part = parts.subarray((count - number) * 32, (count - number + 1) * 32);
    part.writeUInt8(number === count ? number | LAST_PART : number, 0);
    part.writeUInt8(LONG_ATTRIBUTES, 11);
    part.writeUInt8(checksum, 13);
    let from = (number - 1) * UNITS * 2;
    for (const [at, length] of UNITS_AT) {
      units.copy(part, at, from, from + length * 2);
      from += length * 2;
    }
  }
  return parts;
}

/** Of the 11 bytes of a short name. */
function shortChecksum(name: Buffer): number {
  let sum = 0;
  for (const byte of name.subarray(0, 11)) sum = (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff;
  return sum;
}
