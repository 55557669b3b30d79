import { CalveError, firstError } from '../../errors/index.ts';
import type { ImgContext } from './img-context.ts';
import { messageOf } from './img-error.ts';

/** Says on stderr what went wrong, as qemu-img does: the program's name, the message, then lines without it. */
export function tellError(error: unknown, context: ImgContext): void {
  const first = firstError(error);
  const { program } = context;
  const data = CalveError.is(first) ? first.data : {};
  context.complain(`${program}: ${messageOf(first)}\n`);
  if (typeof data['more'] === 'string') {
    context.complain(data['hasOpenEnd'] === true ? data['more'] : `${data['more']}\n`);
  }
  if (data['asksForHelp'] === true) context.complain(`Try '${program} --help' for more information\n`);
  // Errors in our own words know what mends them.
  if (CalveError.is(first) && data['img'] !== true && first.hint !== undefined) {
    context.complain(`${first.hint}\n`);
  }
  if (process.env['CALVE_DEBUG'] !== '1') return;
  for (let at: unknown = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
    context.complain(`${at instanceof Error ? at.stack : String(at)}\n`);
  }
}

/** The exit code that an error asks for, else 1. */
export function exitCodeOfError(error: unknown): number {
  const first = firstError(error);
  const wanted = CalveError.is(first) ? first.data['exitCode'] : undefined;
  return typeof wanted === 'number' ? wanted : 1;
}
