import { CommanderError } from 'commander';
import { CalveError, firstError } from '../errors/index.ts';
import { colorsFor } from './output.ts';
import { printable } from './printable.ts';

/** Says on stderr what went wrong: one line, then the hint if there is one; the stack only with `CALVE_DEBUG=1`. */
export function reportError(error: unknown, options: { readonly color: boolean }): void {
  // Commander has said its own.
  if (error instanceof CommanderError) return;
  const colors = colorsFor(process.stderr, options.color);
  const [message, hint] = describe(firstError(error));
  process.stderr.write(`${colors.red('calve:')} ${printable(message)}\n`);
  if (hint !== undefined) process.stderr.write(`${colors.dim('hint:')} ${printable(hint)}\n`);
  if (process.env['CALVE_DEBUG'] === '1') {
    for (let at: unknown = error; at !== undefined; at = at instanceof Error ? at.cause : undefined) {
      process.stderr.write(`${at instanceof Error ? at.stack : String(at)}\n`);
    }
  }
}

/** 0 for help and version, 2 for the caller's words, 130 for an interruption, else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const first = firstError(error);
  if (CalveError.is(first, 'usage')) return 2;
  if (CalveError.is(first, 'aborted')) return 130;
  return 1;
}

function describe(error: unknown): [message: string, hint: string | undefined] {
  if (error instanceof CalveError) return [error.message, error.hint];
  const reason = error instanceof Error ? error.message : String(error);
  return [`unexpected error: ${reason}`, 'a fault of calve; CALVE_DEBUG=1 shows where'];
}
