import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { Command, Errno } from '../protocol/numbers.ts';

const CODES: Readonly<Record<number, readonly [code: ErrorCode, name: string]>> = {
  [Errno.permission]: ['denied', 'EPERM'],
  [Errno.io]: ['io', 'EIO'],
  [Errno.memory]: ['io', 'ENOMEM'],
  [Errno.invalid]: ['io', 'EINVAL'],
  [Errno.noSpace]: ['no-space', 'ENOSPC'],
  [Errno.overflow]: ['io', 'EOVERFLOW'],
  [Errno.notSupported]: ['unsupported', 'ENOTSUP'],
  [Errno.shutdown]: ['io', 'ESHUTDOWN'],
};

const VERBS = new Map<number, string>(Object.entries(Command).map(([name, number]) => [number, name]));

/** What a server answered to a command that failed. `data.errno` has the name of the error. */
export function serverError(
  where: string,
  { command, offset, length }: { readonly command: number; readonly offset: number; readonly length: number },
  errno: number,
  message: string,
): CalveError {
  const [code, name] = CODES[errno] ?? ['io', `error ${errno}`];
  const range = command === Command.flush ? '' : ` of ${length} bytes at ${offset}`;
  const said = message === '' ? '' : ` (${forOneLine(message)})`;
  return new CalveError(code, `${where}: ${VERBS.get(command)}${range}: the server answers ${name}${said}`, {
    data: { errno: name },
  });
}

/** A text of the server's, which may be anything, so that it fits into a line of ours. */
export function forOneLine(message: string): string {
  return message.replace(/\p{C}+/gu, ' ').slice(0, 500);
}
