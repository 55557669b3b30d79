import { CalveError } from '../../errors/index.ts';
import { Errno } from '../protocol/numbers.ts';

/** Why a command is refused or failed, as the client is told. */
export interface CommandFailure {
  readonly errno: number;
  readonly message: string;
}

/** What a failure of a disk is to a client: of paths and the like, which are the server's own, it is told nothing. */
export function failureOf(error: unknown): CommandFailure {
  const code = CalveError.is(error) ? error.code : 'io';
  switch (code) {
    case 'no-space':
      return { errno: Errno.noSpace, message: 'no space left' };
    case 'out-of-range':
      return { errno: Errno.invalid, message: 'outside of the disk' };
    case 'denied':
      return { errno: Errno.permission, message: 'denied' };
    case 'closed':
      return { errno: Errno.shutdown, message: 'the server is shutting down' };
    default:
      return { errno: Errno.io, message: `the disk failed: ${code}` };
  }
}
