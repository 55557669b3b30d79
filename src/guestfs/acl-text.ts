import { CalveError } from '../errors/index.ts';

// On disk (Linux, fs/ext4/acl.h as documented in ext4 disk layout, "POSIX ACLs"): version u32, 1; entries of 4 bytes
//   (tag u16 · permissions u16), those of a named user or group followed by its id u32.
const VERSION = 1;
const TAGS: Readonly<Record<number, readonly [word: string, named: boolean]>> = {
  1: ['user', false],
  2: ['user', true],
  4: ['group', false],
  8: ['group', true],
  16: ['mask', false],
  32: ['other', false],
};

/**
 * An access control list as `setfacl` takes it: `user::rw-,user:1000:r--,group::r--,mask::r--,other::r--`.
 *
 * @param value of the attribute `system.posix_acl_access` or `system.posix_acl_default`, as ext stores it
 * @throws CalveError `corrupt`
 */
export function aclText(value: Buffer): string {
  if (value.length < 4 || value.readUInt32LE(0) !== VERSION) throw broken(value);
  const words: string[] = [];
  for (let at = 4; at < value.length; ) {
    const [word, named] = (at + 4 <= value.length && TAGS[value.readUInt16LE(at)]) || [];
    const end = at + (named ? 8 : 4);
    if (word === undefined || end > value.length) throw broken(value);
    const bits = value.readUInt16LE(at + 2);
    const permissions = (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-') + (bits & 1 ? 'x' : '-');
    words.push(`${word}:${named ? value.readUInt32LE(at + 4) : ''}:${permissions}`);
    at = end;
  }
  return words.join(',');
}

function broken(value: Buffer): CalveError {
  return new CalveError(
    'corrupt',
    `expected an access control list, got ${value.subarray(0, 32).toString('hex')}`,
  );
}
