import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../../errors/index.ts';
import { checkContentRange, uploadedBytes } from './content-range.ts';

test('a range that begins where it was asked for is taken, be it shorter', () => {
  const asked = { first: 10, last: 99 };
  assert.deepEqual(checkContentRange('bytes 10-99/100', asked, 100, 'x'), asked);
  assert.deepEqual(checkContentRange('bytes 10-50/*', asked, 100, 'x'), { first: 10, last: 50 });
  for (const header of [
    undefined,
    '',
    'bytes 0-99/100',
    'bytes 10-100/101',
    'bytes 10-99/101',
    'bytes 10-9/100',
    'bytes */100',
    '10-99/100',
  ]) {
    assert.throws(
      () => checkContentRange(header, asked, 100, 'x'),
      (error) => CalveError.is(error, 'invalid'),
      header,
    );
  }
});

test('the bytes of an upload are told by a range that begins at 0', () => {
  assert.equal(uploadedBytes('0-99', 1000), 100);
  assert.equal(uploadedBytes('bytes=0-99', 1000), 100);
  assert.equal(uploadedBytes('0-0', 1000), 0);
  assert.equal(uploadedBytes(undefined, 1000), 0);
  assert.equal(uploadedBytes('0-999', 1000), 1000);
  for (const header of ['0-1000', '1-99', 'x', '0--1', '-'])
    assert.equal(uploadedBytes(header, 1000), undefined, header);
});
