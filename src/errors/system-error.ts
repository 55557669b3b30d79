import { CalveError, type ErrorCode } from './calve-error.ts';

const CODES: Partial<Record<string, ErrorCode>> = {
  ENOENT: 'not-found',
  EEXIST: 'exists',
  ENOTEMPTY: 'exists',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EACCES: 'denied',
  EPERM: 'denied',
  EROFS: 'denied',
};

/** What went wrong first, where putting it away went wrong too: the end of an `await using` hides it in its own error. */
export function firstError(error: unknown): unknown {
  return error instanceof SuppressedError ? firstError(error.suppressed) : error;
}

/**
 * An operating system's error as a CalveError; a CalveError passes through unchanged. Of several that a
 * `SuppressedError` holds it is the first.
 *
 * @param doing what was tried, with the path: `cannot open /a/b`
 */
export function systemError(doing: string, error: unknown): CalveError {
  const first = firstError(error);
  if (first instanceof CalveError) return first;
  const errno = errnoOf(first);
  const reason = first instanceof Error ? first.message : String(first);
  return new CalveError((errno && CODES[errno]) || 'io', `${doing}: ${reason}`, {
    cause: error,
    data: errno === undefined ? {} : { errno },
  });
}

/** The symbolic errno (`ENOENT`) of an operating system's error, or of the one a CalveError wraps. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof CalveError) return errnoOf(error.cause);
  if (!(error instanceof Error)) return undefined;
  // libuv has no name for Linux's EDQUOT, and Node reports it as `Unknown system error -122`.
  if ('errno' in error && error.errno === -122 && process.platform === 'linux') return 'EDQUOT';
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
