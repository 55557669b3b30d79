/**
 * What went wrong, as a word that programs can branch on.
 *
 * - `usage`: the caller's words are off (a bad option, a malformed name)
 * - `not-found`, `exists`: a file, ref, version or environment is missing, or is in the way
 * - `in-use`: another process holds the lock; `data.holders` says who
 * - `unsupported`: a feature of the format or the platform that is not built or not there
 * - `invalid`: bytes that break a format's rules; `corrupt`: a structure that contradicts itself
 * - `changed`: a layer's bytes no longer hash to its name
 * - `unchanged`: there is nothing to commit
 * - `diverged`: a ref moved under the caller
 * - `denied`: a policy forbids it (following a backing file, writing a version)
 * - `out-of-range`: an offset, length or value outside what is allowed
 * - `io`, `no-space`: the operating system refused; `cause` has its error
 * - `aborted`: the caller's signal ended it; `closed`: the object was closed before
 */
export type ErrorCode =
  | 'usage'
  | 'not-found'
  | 'exists'
  | 'in-use'
  | 'unsupported'
  | 'invalid'
  | 'corrupt'
  | 'changed'
  | 'unchanged'
  | 'diverged'
  | 'denied'
  | 'out-of-range'
  | 'io'
  | 'no-space'
  | 'aborted'
  | 'closed';

/** What an error carries beside its message. */
export interface ErrorDetails {
  /** What the person can do about it: one line, a command where one exists. */
  hint?: string;
  /** Facts for programs; everything in it can be written as JSON. */
  data?: Record<string, unknown>;
  /** The error underneath. */
  cause?: unknown;
}

/**
 * The one error family of calve. The message is one line: what, where, expected, got.
 *
 * @example
 * throw new CalveError('not-found', `no environment is called ${name}`, { hint: 'calve ls' });
 */
export class CalveError extends Error {
  override readonly name = 'CalveError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.hint = details.hint;
    this.data = details.data ?? {};
  }

  /** Whether `error` is a CalveError, of this code if one is given. */
  static is(error: unknown, code?: ErrorCode): error is CalveError {
    return error instanceof CalveError && (code === undefined || error.code === code);
  }
}
