import type { ExtendedAttribute } from '../file-tree.ts';
import { corrupt } from './corrupt.ts';

// Attributes (ext4 disk layout, "Extended Attributes"). In an inode: the magic number, then entries. In a block: a
//   header of 32 bytes (0 magic · 8 blocks · 16 checksum), then entries.
// Entry: 0 length of the name u8 · 1 prefix u8 · 2 place of the value u16 · 4 inode of the value u32 · 8 size of the
//   value u32 · 12 hash u32 · 16 name; filled up to 4 bytes. Four zero bytes end them.
export const ATTRIBUTE_MAGIC = 0xea020000;
const ENTRY = 16;
/** Linux lets no attribute be larger. */
const LARGEST_VALUE = 65_536;

const PREFIXES: Readonly<Record<number, string>> = {
  0: '',
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
  9: 'encryption.',
  10: 'gnu.',
};

/** An attribute as its entry tells it: its value lies here, or is the content of an inode. */
export interface AttributeEntry {
  readonly name: Buffer;
  readonly value: Buffer | { readonly inode: number; readonly size: number };
}

/**
 * Decodes the entries of attributes.
 *
 * @param bytes from where the places of values are counted, to the end of the room
 * @param from where the first entry stands
 * @throws CalveError `corrupt`
 */
export function* attributeEntries(bytes: Buffer, from: number, where: string): Generator<AttributeEntry> {
  for (let at = from; at + 4 <= bytes.length && bytes.readUInt32LE(at) !== 0; ) {
    const nameLength = bytes.readUInt8(at);
    const end = at + ENTRY + nameLength;
    if (end > bytes.length) throw corrupt(where, `an entry at byte ${at} of ${bytes.length}`);
    const offset = bytes.readUInt16LE(at + 2);
    const inode = bytes.readUInt32LE(at + 4);
    const size = bytes.readUInt32LE(at + 8);
    if (size > LARGEST_VALUE) throw corrupt(where, `a value of ${size} bytes; the most are ${LARGEST_VALUE}`);
    if (inode === 0 && offset + size > bytes.length)
      throw corrupt(where, `a value behind byte ${bytes.length}`);
    const prefix = PREFIXES[bytes.readUInt8(at + 1)] ?? `prefix${bytes.readUInt8(at + 1)}.`;
    yield {
      name: Buffer.concat([Buffer.from(prefix), bytes.subarray(at + ENTRY, end)]),
      value: inode === 0 ? Buffer.from(bytes.subarray(offset, offset + size)) : { inode, size },
    };
    at = Math.ceil(end / 4) * 4;
  }
}

/** The rest of a file or directory whose content lies in its inode; Linux does not show it as an attribute. */
export const INLINE_REST = 'system.data';

/** The attribute of this name. */
export function findAttribute(
  attributes: readonly ExtendedAttribute[],
  name: string,
): ExtendedAttribute | undefined {
  return attributes.find((each) => each.name.equals(Buffer.from(name)));
}
