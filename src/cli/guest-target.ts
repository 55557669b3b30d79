import { CalveError } from '../errors/index.ts';

/** What stands before and behind the colon of `ENV:/path`. */
export interface GuestTarget {
  /** An environment or a version. */
  readonly name: string;
  /** From the root of the guest's file system on; undefined when none was given. */
  readonly path: string | undefined;
}

/** Takes `ENV:/path` or `REF:/path` apart: no name of either holds `:/`, though a ref has a colon before its tag. */
export function parseGuestTarget(word: string): GuestTarget {
  const colon = word.indexOf(':/');
  const target =
    colon < 0 ? { name: word, path: undefined } : { name: word.slice(0, colon), path: word.slice(colon + 1) };
  if (target.name === '') {
    throw new CalveError('usage', `expected an environment or a version before the path, got ${word}`, {
      hint: 'ENV:/path, or REF:/path',
    });
  }
  return target;
}
