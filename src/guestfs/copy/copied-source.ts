/** What is to be copied, as a path names it. */
export interface CopiedSource {
  /** The name that it has in a folder it is copied into; null for what ends with `/.`, or is a root: its content goes there. */
  readonly name: Buffer | null;
  readonly isDirectory: boolean;
}

/** The last name of a path; null where the path names what is in a directory: `/`, `/etc/.`, `..`. */
export function lastName(path: Buffer): Buffer | null {
  const names = path.toString('latin1').split('/');
  const last = names.findLast((name) => name !== '');
  const endsInDots = last === undefined || last === '.' || last === '..';
  return endsInDots ? null : Buffer.from(last, 'latin1');
}
