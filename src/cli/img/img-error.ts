import { CalveError, type ErrorCode } from '../../errors/index.ts';

/** What goes with an error of a subcommand. */
interface ImgErrorDetails {
  /** What programs branch on (default `invalid`). */
  readonly code?: ErrorCode;
  /** Further lines for stderr, without the program's name. */
  readonly more?: string;
  /** No line feed ends those lines. */
  readonly hasOpenEnd?: boolean;
  /** Default 1. */
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** An error that is told in the words of qemu-img, which scripts compare: no path or hint is added to them. */
export function imgError(message: string, details: ImgErrorDetails = {}): CalveError {
  const { code = 'invalid', more, hasOpenEnd, exitCode, cause } = details;
  const data = {
    ...(more !== undefined && { more }),
    ...(hasOpenEnd && { hasOpenEnd }),
    ...(exitCode !== undefined && { exitCode }),
  };
  return new CalveError(code, message, {
    data: { img: true, ...data },
    ...(cause !== undefined && { cause }),
  });
}

/** As `imgError`, of the words that were typed; a line says where help is. */
export function usageError(message: string): CalveError {
  return new CalveError('usage', message, { data: { img: true, asksForHelp: true } });
}

/** An error with more words ahead of it: `Could not open 'a': ` and so on. What it carries is kept. */
export function prefixed(prefix: string, error: unknown): CalveError {
  const message = messageOf(error);
  if (!CalveError.is(error)) return imgError(prefix + message, { code: 'io', cause: error });
  return new CalveError(error.code, prefix + message, { data: { ...error.data, img: true }, cause: error });
}

/** An error with which the program ends with another code than 1. */
export function failingWith(exitCode: number, error: unknown): CalveError {
  if (!CalveError.is(error)) return imgError(messageOf(error), { code: 'io', exitCode, cause: error });
  const { code, message, hint, data } = error;
  return new CalveError(code, message, {
    ...(hint !== undefined && { hint }),
    data: { ...data, exitCode },
    cause: error,
  });
}

/** An error in qemu-img's words: the operating system's are those of the C library. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
