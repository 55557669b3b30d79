import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { parseRefName, refNameOfFile } from './ref-name.ts';

test('a name without a tag means latest', () => {
  assert.equal(parseRefName('debian'), 'debian:latest');
  assert.equal(parseRefName('debian:12'), 'debian:12');
  assert.equal(parseRefName('team/base_image/web-1.2:V1.0_x'), 'team/base_image/web-1.2:V1.0_x');
  assert.equal(parseRefName('a__b'), 'a__b:latest');
});

test('a malformed name says what is malformed', () => {
  const cases: [string, RegExp][] = [
    ['Debian', /lower-case/],
    ['', /lower-case/],
    ['a//b', /lower-case/],
    ['../x', /lower-case/],
    ['a-', /lower-case/],
    ['a b', /lower-case/],
    ['a\n', /lower-case/],
    ['a:', /tag/],
    ['a:-x', /tag/],
    [`a:${'x'.repeat(129)}`, /tag/],
    ['a'.repeat(256), /at most 255/],
    ['sha256:abcdef', /kept for digests/],
  ];
  for (const [text, pattern] of cases) {
    assert.throws(
      () => parseRefName(text),
      (error) => CalveError.is(error, 'usage') && pattern.test(error.message),
      text,
    );
  }
});

test("a ref can be made of most files' names", () => {
  assert.equal(refNameOfFile('debian-12.qcow2'), 'debian-12:latest');
  assert.equal(refNameOfFile('Debian 12 (cloud).raw'), 'debian-12-cloud:latest');
  assert.equal(refNameOfFile('disk'), 'disk:latest');
  assert.equal(refNameOfFile('磁盘.img'), undefined);
});
