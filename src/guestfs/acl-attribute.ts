// As the kernel takes a list (Linux, include/uapi/linux/posix_acl_xattr.h): version u32, 2; entries of 8 bytes: tag u16
//   · permissions u16 · id u32. ext keeps it shorter: version 1, the id only where an entry is of a named user or group.
const STORED_VERSION = 1;
const VERSION = 2;
const NAMED = [2, 8];
const NO_ID = 0xffffffff;
const HEADER = 4;
const ENTRY = 8;

/** Access control lists, which a file system stores in its own form. */
export const ACLS: readonly string[] = ['system.posix_acl_access', 'system.posix_acl_default'];

/** An access control list as ext stores it, as setxattr(2) takes it; undefined when it is none. */
export function aclAttribute(stored: Buffer): Buffer | undefined {
  if (stored.length < 4 || stored.readUInt32LE(0) !== STORED_VERSION) return undefined;
  const header = Buffer.alloc(4);
  header.writeUInt32LE(VERSION);
  const entries = [header];
  for (let at = 4; at < stored.length; ) {
    if (at + 4 > stored.length) return undefined;
    const isNamed = NAMED.includes(stored.readUInt16LE(at));
    const end = at + (isNamed ? 8 : 4);
    if (end > stored.length) return undefined;
    const entry = Buffer.alloc(8);
    stored.copy(entry, 0, at, at + 4);
    entry.writeUInt32LE(isNamed ? stored.readUInt32LE(at + 4) : NO_ID, 4);
    entries.push(entry);
    at = end;
  }
  return Buffer.concat(entries);
}

/** The inverse: a list as getxattr(2) tells it, as ext stores it; undefined when it is none. */
export function storedAcl(value: Buffer): Buffer | undefined {
  if (value.length < HEADER || (value.length - HEADER) % ENTRY !== 0) return undefined;
  if (value.readUInt32LE(0) !== VERSION) return undefined;
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(STORED_VERSION);
  const entries: Buffer[] = [header];
  for (let at = HEADER; at < value.length; at += ENTRY) {
    const isNamed = NAMED.includes(value.readUInt16LE(at));
    entries.push(value.subarray(at, at + (isNamed ? ENTRY : ENTRY / 2)));
  }
  return Buffer.concat(entries);
}
