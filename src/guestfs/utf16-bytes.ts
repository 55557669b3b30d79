/**
 * UTF-16 as UTF-8. A surrogate without its other half, which no text has, becomes the three bytes that it would have
 * as a character: no two names become one, and none is lost.
 *
 * @param units little-endian, an even number of bytes
 */
export function utf16Bytes(units: Buffer): Buffer {
  const text = units.toString('utf16le');
  if (text.isWellFormed()) return Buffer.from(text);
  return Buffer.concat(
    Array.from(text, (character) => (character.isWellFormed() ? Buffer.from(character) : lone(character))),
  );
}

function lone(surrogate: string): Buffer {
  const unit = surrogate.charCodeAt(0);
  return Buffer.from([0xe0 | (unit >>> 12), 0x80 | ((unit >>> 6) & 0x3f), 0x80 | (unit & 0x3f)]);
}
