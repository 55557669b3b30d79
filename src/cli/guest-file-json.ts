import { isUtf8 } from 'node:buffer';
import { aclText, type ExtendedAttribute } from '../guestfs/index.ts';
import type { ListedFile } from './guest-file.ts';

const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';

/** A file of a guest as `docs/json.md` has it. Paths are bytes: one that is no UTF-8 is there in base64 too. */
export async function guestFileJson(file: ListedFile): Promise<Record<string, unknown>> {
  const { inode } = file;
  const attributes = await file.attributes();
  const acl = (name: string): string | null => {
    const found = attributes.find((each) => each.name.toString() === name);
    return found === undefined ? null : aclText(found.value);
  };
  return {
    ...bytesJson('path', file.path),
    inode: inode.number,
    type: inode.type,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    size: inode.size,
    allocated: inode.allocated,
    links: inode.links,
    atime: timeJson(inode.atime),
    mtime: timeJson(inode.mtime),
    ctime: timeJson(inode.ctime),
    crtime: inode.crtime === null ? null : timeJson(inode.crtime),
    device: inode.device,
    ...bytesJson('target', await file.target()),
    acl: acl(ACCESS),
    defaultAcl: acl(DEFAULT),
    attributes: attributes.filter((each) => !isAcl(each)).map(attributeJson),
  };
}

function isAcl({ name }: ExtendedAttribute): boolean {
  return [ACCESS, DEFAULT].includes(name.toString());
}

function attributeJson({ name, value }: ExtendedAttribute): Record<string, unknown> {
  return { ...bytesJson('name', name), value: value.toString('base64') };
}

/** A field with text, and where bytes were lost by that, `fieldBase64` with all of them. */
export function bytesJson(field: string, bytes: Buffer | null): Record<string, string | null> {
  const whole = bytes === null || isUtf8(bytes) ? {} : { [`${field}Base64`]: bytes.toString('base64') };
  return { [field]: bytes === null ? null : bytes.toString(), ...whole };
}

/** RFC 3339 with nanoseconds; the seconds before 1970 round down, so that the fraction counts forward. */
export function timeJson(nanoseconds: bigint): string {
  const fraction = BigInt.asUintN(64, ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  const seconds = (nanoseconds - fraction) / 1_000_000_000n;
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, -5);
  return `${whole}.${fraction.toString().padStart(9, '0')}Z`;
}
