import { userInfo } from 'node:os';
import { errnoOf } from '../errors/index.ts';

/** Who makes a version: `$CALVE_AUTHOR`, else the name of the user. */
export function author(): string {
  return process.env['CALVE_AUTHOR'] || userName();
}

function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    // A container's user id may have no name.
    if (errnoOf(error) === undefined) throw error;
    return String(process.getuid?.() ?? 'unknown');
  }
}
