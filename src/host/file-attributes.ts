import { errnoOf, systemError } from '../errors/index.ts';
import { libc } from './libc.ts';

/** Linux lets neither the names of a file's attributes nor a value be longer, in bytes (linux/limits.h). */
const LARGEST = 65_536;
/** What a file system says that has no attributes, and what is said of one that has just gone. */
const NONE = ['ENOTSUP', 'EOPNOTSUPP', 'ENODATA'];

/** An extended attribute of a file. */
export interface FileAttribute {
  /** With its prefix: `user.note`. */
  readonly name: Buffer;
  /** As getxattr(2) tells it. */
  readonly value: Buffer;
}

let room: Buffer | undefined;

/**
 * The extended attributes of a file, of a symlink itself, that this process may see; none where the file system has none.
 * @throws CalveError `not-found`, `denied`, `io`; `unsupported` where calve has no C library to ask
 */
export function fileAttributes(path: Buffer): FileAttribute[] {
  room ??= Buffer.allocUnsafe(LARGEST);
  const into = room;
  const library = libc();
  const terminated = Buffer.concat([path, Buffer.alloc(1)]);
  const length = attempt(path, () => library.attributeNames(terminated, into)) ?? 0;
  const names = Buffer.from(into.subarray(0, length));
  const found: FileAttribute[] = [];
  for (let at = 0; at < names.length; ) {
    const end = names.indexOf(0, at);
    const name = names.subarray(at, end);
    const size = attempt(path, () => library.attribute(terminated, names.subarray(at, end + 1), into));
    if (size !== undefined) found.push({ name, value: Buffer.from(into.subarray(0, size)) });
    at = end + 1;
  }
  return found;
}

/** Undefined when there is nothing to read. */
function attempt(path: Buffer, read: () => number): number | undefined {
  try {
    return read();
  } catch (error) {
    if (NONE.includes(errnoOf(error) ?? '')) return undefined;
    throw systemError(`cannot read the attributes of ${path}`, error);
  }
}
