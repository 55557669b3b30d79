import { type GuestTarget, parseGuestTarget } from '../guest-target.ts';

/** A side of a copy: a file in an environment or a version, or on the host. */
export type CopiedPath =
  | { readonly kind: 'guest'; readonly word: string; readonly name: string; readonly path: string }
  | { readonly kind: 'host'; readonly word: string; readonly path: string };

/**
 * Tells which is meant, as `docker cp` does: `NAME:/path` lies in a guest; what begins with a dot or a slash is a path
 * of the host, whatever follows.
 */
export function copiedPath(word: string): CopiedPath {
  if (/^[./]/.test(word) || !word.includes(':/')) return { kind: 'host', word, path: word };
  const { name, path = '/' }: GuestTarget = parseGuestTarget(word);
  return { kind: 'guest', word, name, path };
}
