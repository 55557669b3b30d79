import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { CalveError, errnoOf, systemError } from './index.ts';

function failure(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('expected it to fail');
}

test("an operating system's error becomes ours, with code, errno and cause", () => {
  const cause = failure(() => openSync('/nowhere/at/all', 'r'));
  const error = systemError('cannot open /nowhere/at/all', cause);
  assert.equal(error.code, 'not-found');
  assert.match(error.message, /^cannot open \/nowhere\/at\/all: ENOENT/);
  assert.equal(error.cause, cause);
  assert.equal(errnoOf(error), 'ENOENT');
});

test('a CalveError passes through unchanged', () => {
  const error = new CalveError('in-use', 'x');
  assert.equal(systemError('cannot y', error), error);
});

test('where putting it away went wrong too, what went wrong first is told', () => {
  const first = new CalveError('no-space', 'the work');
  const error = new SuppressedError(new Error('its end'), first);
  assert.equal(systemError('cannot y', error), first);
  assert.equal(systemError('cannot y', new SuppressedError(new Error('and more'), error)), first);
});

test('a full quota is `no-space`, though Node has no name for it', () => {
  const cause = Object.assign(new Error('Unknown system error -122'), {
    errno: -122,
    code: 'Unknown system error -122',
  });
  assert.equal(systemError('cannot write', cause).code, process.platform === 'linux' ? 'no-space' : 'io');
});

test('what is no error at all is `io`', () => {
  assert.equal(systemError('cannot z', 'plain text').code, 'io');
  assert.equal(errnoOf('plain text'), undefined);
});
