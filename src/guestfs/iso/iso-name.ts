import { utf16Bytes } from '../utf16-bytes.ts';

/**
 * The name in a record of the primary tree, as Linux shows it: in lower case, without the version 1 and a dot before
 * it; what would be another version, or a slash, becomes a dot.
 */
export function plainName(name: Buffer): Buffer {
  const text = name
    .toString('latin1')
    .replace(/\.?;1$/, '')
    .replace(/[;/]/g, '.');
  return Buffer.from(
    text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
    'latin1',
  );
}

/** The name in a record of Joliet's tree, UTF-16 in big-endian order: without the version 1 and dots before it. */
export function jolietName(name: Buffer): Buffer {
  const units = Buffer.from(name.subarray(0, name.length - (name.length % 2))).swap16();
  const [, version = ''] = /(;1|)$/.exec(units.toString('utf16le')) ?? [];
  let end = units.length - 2 * version.length;
  while (end >= 4 && units.readUInt16LE(end - 2) === 0x2e) end -= 2;
  return utf16Bytes(units.subarray(0, end));
}
