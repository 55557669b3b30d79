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

/**
 * An operating system's error as a CalveError; a CalveError passes through unchanged.
 *
 * @param doing what was tried, with the path: `cannot open /a/b`
 */
export function systemError(doing: string, error: unknown): CalveError {
  if (error instanceof CalveError) return error;
  const errno = errnoOf(error);
  const reason = error instanceof Error ? error.message : String(error);
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
