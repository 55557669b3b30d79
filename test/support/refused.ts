import assert from 'node:assert/strict';
import { CalveError, type ErrorCode } from '../../src/errors/index.ts';

/** Asserts that something is refused with this code and message; resolves to the error. */
export async function refused(
  doing: Promise<unknown>,
  code: ErrorCode,
  pattern: RegExp = /./,
): Promise<CalveError> {
  const error: unknown = await doing.then(
    () => assert.fail(`expected ${code} ${pattern}`),
    (reason: unknown) => reason,
  );
  assert.ok(CalveError.is(error, code), String(error));
  assert.match(error.message, pattern);
  return error;
}
